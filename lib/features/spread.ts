/** How a column of numbers is scaled if not by its mean and variance. */
export type SpreadKind = 'minMax' | 'maxAbs' | 'robust';

/** A column that is scaled by its spread. */
export type SpreadColumn = { readonly column: number; readonly by: SpreadKind };

/**
 * What is known of a column's spread: its least and greatest value and, where its quartiles are
 * asked for, a histogram of at most {@link mostBins} bins, each the mean of the values that it
 * stands for, in their order (merged as Ben-Haim and Tom-Tov 2010 do, by fullness).
 */
export type Spread = {
  /** [2]; infinite before the first value. */
  readonly bounds: Float64Array;
  /** [bins], rising where `counts` are above 0; then 0. */
  readonly values: Float64Array;
  /** [bins] */
  readonly counts: Float64Array;
};

const mostBins = 64;

/** The spread of no values. */
export function emptySpread({ by }: SpreadColumn): Spread {
  const bins = by === 'robust' ? mostBins : 0;
  return {
    bounds: Float64Array.of(Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY),
    values: new Float64Array(bins),
    counts: new Float64Array(bins),
  };
}

/** Whether spreads are those of some columns. */
export function areSpreadsOf(
  kinds: readonly SpreadColumn[] = [],
  spreads: readonly Spread[] = [],
): boolean {
  return (
    spreads.length === kinds.length &&
    kinds.every((kind, i) => {
      const own = spreads[i];
      return own !== undefined && isSpreadOf(kind, own);
    })
  );
}

/** Whether a spread is one that a column may have: nothing in it contradicts another part. */
function isSpreadOf(kind: SpreadColumn, { bounds, values, counts }: Spread): boolean {
  const [bins, empty] = [counts.length, emptySpread(kind)];
  const used = counts.findIndex((count) => !(count > 0));
  const end = used < 0 ? bins : used;
  return (
    bounds.length === 2 &&
    bins === empty.counts.length &&
    values.length === bins &&
    counts.every((count, bin) => Number.isFinite(count) && count > 0 === bin < end) &&
    values.every((value, bin) => bin === 0 || bin >= end || value > (values[bin - 1] ?? 0))
  );
}

/** The spread of some values; NaN stands for one that is not known. */
export function spreadOf(
  kind: SpreadColumn,
  rows: number,
  valueAt: (row: number) => number,
): Spread {
  const { bounds } = emptySpread(kind);
  const counted = new Map<number, number>();
  for (let row = 0; row < rows; row++) {
    const value = valueAt(row);
    if (Number.isNaN(value)) continue;
    bounds[0] = Math.min(bounds[0] ?? value, value);
    bounds[1] = Math.max(bounds[1] ?? value, value);
    counted.set(value, (counted.get(value) ?? 0) + 1);
  }
  if (kind.by !== 'robust') return { ...emptySpread(kind), bounds };
  return { bounds, ...binned([...counted]) };
}

/** The spread of both sets of values together. */
export function mergeSpreads(kind: SpreadColumn, a: Spread, b: Spread): Spread {
  const bounds = Float64Array.of(
    Math.min(a.bounds[0] ?? 0, b.bounds[0] ?? 0),
    Math.max(a.bounds[1] ?? 0, b.bounds[1] ?? 0),
  );
  if (kind.by !== 'robust') return { ...a, bounds };
  const counted = new Map<number, number>();
  for (const { values, counts } of [a, b])
    counts.forEach((count, bin) => {
      const value = values[bin] ?? 0;
      if (count > 0) counted.set(value, (counted.get(value) ?? 0) + count);
    });
  return { bounds, ...binned([...counted]) };
}

/** A spread whose values count for less. */
export function lessSpread({ counts, ...spread }: Spread, share: number): Spread {
  return { ...spread, counts: counts.map((count) => count * share) };
}

/**
 * Values and how often each came, in so many bins: the two neighbours that stand for the fewest
 * values become one, of several the nearest, until they fit. So a bin is about as full as another,
 * however far away some values are.
 */
function binned(counted: [value: number, count: number][]): Pick<Spread, 'values' | 'counts'> {
  const bins = coarse(counted.sort(([a], [b]) => a - b));
  while (bins.length > mostBins) {
    const place = fewest(bins);
    const [[value, count] = [0, 0], [other, more] = [0, 0]] = bins.slice(place, place + 2);
    const both = count + more;
    bins.splice(place, 2, [value + ((other - value) * more) / both, both]);
  }
  const [values, counts] = [new Float64Array(mostBins), new Float64Array(mostBins)];
  bins.forEach(([value, count], bin) => {
    values[bin] = value;
    counts[bin] = count;
  });
  return { values, counts };
}

/** Of very many values, neighbours are put together at once, a few bins for each that stays. */
function coarse(sorted: [value: number, count: number][]): [value: number, count: number][] {
  const most = 4 * mostBins;
  if (sorted.length <= most) return sorted;
  const full = sorted.reduce((sum, [, count]) => sum + count, 0) / most;
  const bins: [value: number, count: number][] = [];
  for (const [value, count] of sorted) {
    const last = bins.at(-1);
    if (last === undefined || last[1] + count > full) {
      bins.push([value, count]);
      continue;
    }
    const both = last[1] + count;
    last[0] += ((value - last[0]) * count) / both;
    last[1] = both;
  }
  return bins;
}

/** The place of the first of two neighbours that stand for the fewest values. */
function fewest(bins: readonly [value: number, count: number][]): number {
  let place = 0;
  let [least, nearest] = [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY];
  for (let bin = 0; bin + 1 < bins.length; bin++) {
    const [[value, count] = [0, 0], [other, more] = [0, 0]] = [bins[bin], bins[bin + 1]];
    const [both, distance] = [count + more, other - value];
    if (both > least || (both === least && distance >= nearest)) continue;
    [place, least, nearest] = [bin, both, distance];
  }
  return place;
}

/**
 * The value below which a share of all lies; between two where the share ends between them
 * (definition 2 of Hyndman and Fan 1996).
 */
export function quantileOf({ values, counts }: Spread, share: number): number {
  const place = share * counts.reduce((sum, count) => sum + count, 0);
  let behind = 0;
  let value = values[0] ?? 0;
  for (const [bin, count] of counts.entries()) {
    if (count === 0) return value;
    const own = values[bin] ?? 0;
    if (bin > 0 && place === behind) return (value + own) / 2;
    value = own;
    behind += count;
    if (place < behind) return value;
  }
  return value;
}

/**
 * What takes a column to 0 at `mean`, and to 1 a unit further: its least value and its range, 0 and
 * its greatest size, or its median and the distance of its quartiles. A scale of 0 says that it has
 * not varied; a distance of 0, where half of the values are alike, says nothing of the others:
 * undefined then.
 */
export function scaleOfSpread(
  { by }: Pick<SpreadColumn, 'by'>,
  spread: Spread,
): { readonly mean: number; readonly scale: number | undefined } {
  const [least = 0, greatest = 0] = spread.bounds;
  if (!(greatest > least)) return { mean: Number.isFinite(least) ? least : 0, scale: 0 };
  if (by === 'minMax') return { mean: least, scale: 1 / (greatest - least) };
  if (by === 'maxAbs') return { mean: 0, scale: 1 / Math.max(greatest, -least) };
  const distance = quantileOf(spread, 0.75) - quantileOf(spread, 0.25);
  return { mean: quantileOf(spread, 0.5), scale: distance > 0 ? 1 / distance : undefined };
}
