import type { EncodedSamples, Layout } from './samples.ts';
import { emptyStatistics, type FeatureStatistics } from './statistics.ts';
import {
  addTargets,
  copyOfTargets,
  emptyTargets,
  type OwnRows,
  type TargetSums,
  targetAdder,
  writeTargetMean,
} from './target-means.ts';

/**
 * Samples in which columns that wait for what was learnt before have their values: mean labels, and
 * means in place of what is missing. The samples themselves say nothing in them.
 */
export function derive(
  samples: EncodedSamples,
  statistics: FeatureStatistics,
  layout: Layout,
): EncodedSamples {
  const { targets = [], filled = [] } = layout;
  if (samples.isDerived || (targets.length === 0 && filled.length === 0)) return samples;
  const own = { samples: derivable(samples), layout };
  targets.forEach((columns, i) => {
    const sums = statistics.targets?.[i] ?? emptyTargets(columns);
    for (let row = 0; row < samples.count; row++) writeTargetMean(columns, sums, own, row);
  });
  for (let row = 0; row < samples.count; row++)
    for (const column of filled)
      fill(own, row * layout.numberWidth + column, statistics.mean[column] ?? 0);
  return own.samples;
}

/** A copy whose columns may be written. */
function derivable(samples: EncodedSamples): EncodedSamples {
  const raw = samples.raw.slice();
  const numbers = raw instanceof Float32Array ? raw : samples.numbers;
  return { ...samples, raw, numbers, isDerived: true };
}

function fill({ samples: { raw } }: OwnRows, place: number, mean: number): void {
  if (Number.isNaN(raw[place])) raw[place] = mean;
}

/** Statistics that know the labels of some samples, which they have counted otherwise. */
export function withTargetsOf(
  statistics: FeatureStatistics,
  samples: EncodedSamples,
  layout: Layout,
): FeatureStatistics {
  const { targets } = layout;
  if (targets === undefined) return statistics;
  return {
    ...statistics,
    targets: targets.map((columns, i) =>
      addTargets(columns, statistics.targets?.[i] ?? emptyTargets(columns), samples, layout),
    ),
  };
}

/** Derives the columns of a dataset's rows as if they were a stream. */
export type OrderedDerivation = {
  /**
   * Rows whose derived columns say what the rows before them said, however they are cut.
   *
   * @param learnt which of them are learnt, in order: the others, held out, say nothing to later
   *   ones
   */
  readonly add: (rows: EncodedSamples, learnt: readonly number[]) => EncodedSamples;
  /** What all learnt rows said of the labels. */
  readonly targets: () => FeatureStatistics['targets'];
  /** What a derivation of later rows must know before them. */
  readonly known: () => FeatureStatistics;
};

/** A derivation of no rows so far. @param before what is known before them; nothing unless given */
export function deriveInOrder(
  layout: Layout,
  before: FeatureStatistics = emptyStatistics(layout),
): OrderedDerivation {
  const { targets = [], filled = [], numberWidth } = layout;
  const known = targets.map((columns, i) => ({
    columns,
    add: targetAdder(columns),
    sums: copyOfTargets(before.targets?.[i] ?? emptyTargets(columns)),
  }));
  const means = filled.map((column) => ({ column, mean: before.mean[column] ?? 0 }));
  let { count } = before;
  let learntRows = 0;
  const sumsOf = ({ sums }: (typeof known)[number]): TargetSums => ({
    ...sums,
    totalCount: sums.totalCount + learntRows,
  });
  const targetsSoFar = () => (layout.targets === undefined ? undefined : known.map(sumsOf));
  return {
    add(rows, learnt) {
      if (layout.targets === undefined && layout.filled === undefined) return rows;
      const derived = { samples: derivable(rows), layout };
      let next = 0;
      for (let row = 0; row < rows.count; row++) {
        for (const each of known) writeTargetMean(each.columns, sumsOf(each), derived, row);
        for (const { column, mean } of means) fill(derived, row * numberWidth + column, mean);
        if (learnt[next] !== row) continue;
        next += 1;
        count += 1;
        learntRows += 1;
        for (const each of known) each.add(each.sums, derived, row);
        for (const each of means) {
          const value = derived.samples.raw[row * numberWidth + each.column] ?? 0;
          each.mean += (value - each.mean) / count;
        }
      }
      return derived.samples;
    },
    targets: targetsSoFar,
    known() {
      const empty = emptyStatistics(layout);
      const mean = empty.mean.slice();
      for (const each of means) mean[each.column] = each.mean;
      const soFar = targetsSoFar();
      return { ...empty, count, mean, ...(soFar && { targets: soFar }) };
    },
  };
}
