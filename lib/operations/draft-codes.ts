import type { Row } from '../features/cell-table.ts';
import { cellsOf, cellsSchema } from '../features/cells.ts';
import type { Column } from './column-profile.ts';

/** Whole numbers of so many values may be codes, each of a meaning of its own. */
const [leastValues, mostValues] = [8, 4_096];
/** Rows of each value, on average, without which nothing can be said of it. */
const rowsOfValue = 10;
/** Lines are drawn through neighbours, in so many groups. */
const groups = 16;
/** How much more of the label values must tell than those lines do. */
const leastGain = 0.02;

/** What a value tells of the label: how often it came, in which half of the file, with what. */
type Seen = { count: number; early: number; late: number; readonly sums: Map<string, number> };

const { number, text, isMissing } = cellsOf(cellsSchema.parse({}));

/**
 * Finds columns of whole numbers that are codes, such as a store's or a postal one: what a value
 * says of the label has little to do with what its neighbours say. Values must come again all along
 * the file: a week that is over says nothing of the next.
 *
 * @param label the column to predict, a number or a class
 */
export function createCodes(columns: readonly Column[], label: Column, isRegression: boolean) {
  const candidates = columns.filter(mayBeCodes).map(({ name }) => ({
    name,
    seen: new Map<number, Seen>(),
  }));
  const spread = createSpread();
  const half = label.present / 2;
  let rows = 0;
  /** What is taken off each label: squares of large ones would lose what tells them apart. */
  let origin: number | undefined;
  return {
    add(row: Row): void {
      const cell = row[label.name];
      if (isMissing(cell)) return;
      const value = isRegression ? number(cell) : 1;
      if (value === undefined) return;
      origin ??= isRegression ? value : 0;
      const target = value - origin;
      const kind = isRegression ? '' : (text(cell) ?? '');
      rows += 1;
      spread.add(kind, target);
      for (const { name, seen } of candidates) {
        const code = number(row[name]);
        if (code === undefined) continue;
        const own = seen.get(code) ?? { count: 0, early: 0, late: 0, sums: new Map() };
        seen.set(code, own);
        own.count += 1;
        if (rows <= half) own.early += 1;
        else own.late += 1;
        own.sums.set(kind, (own.sums.get(kind) ?? 0) + target);
      }
    },
    /** Names of columns that are codes. */
    found: (): ReadonlySet<string> =>
      new Set(candidates.flatMap(({ name, seen }) => (areCodes(seen, spread) ? [name] : []))),
  };
}

function mayBeCodes({ whole, present, values }: Column): boolean {
  const count = values.size;
  return (
    whole === present &&
    count >= leastValues &&
    count <= mostValues &&
    present >= rowsOfValue * count
  );
}

function areCodes(seen: ReadonlyMap<number, Seen>, spread: Spread): boolean {
  const values = [...seen].sort(([a], [b]) => a - b);
  const rows = values.reduce((sum, [, { count }]) => sum + count, 0);
  const late = values.reduce((sum, [, own]) => sum + own.late, 0);
  const known = values.reduce((sum, [, own]) => sum + (own.early > 0 ? own.late : 0), 0);
  if (known < 0.9 * late || spread.total() === 0) return false;
  let before = 0;
  const neighbours = Map.groupBy(values, ([, { count }]) => {
    const group = Math.floor((groups * (before + count / 2)) / rows);
    before += count;
    return group;
  });
  const alone = values.reduce((sum, each) => sum + explainedBy([each]), 0);
  const lines = [...neighbours.values()].reduce((sum, each) => sum + explainedBy(each), 0);
  const gain =
    shareOf(alone, values.length, rows, spread) - shareOf(lines, 2 * neighbours.size, rows, spread);
  // (Chance alone makes a share of about this, with so many values.)
  const chance = Math.sqrt(2 * values.length) / rows;
  return gain > Math.max(leastGain, 4 * chance);
}

/** What a line through some values and their labels' sums explains of the squares of labels. */
function explainedBy(values: readonly (readonly [value: number, own: Seen])[]): number {
  const count = values.reduce((sum, [, own]) => sum + own.count, 0);
  const mean = values.reduce((sum, [value, own]) => sum + value * own.count, 0) / count;
  const spread = values.reduce((sum, [value, own]) => sum + own.count * (value - mean) ** 2, 0);
  const kinds = new Set(values.flatMap(([, { sums }]) => [...sums.keys()]));
  let explained = 0;
  for (const kind of kinds) {
    let [total, product] = [0, 0];
    for (const [value, { sums }] of values) {
      total += sums.get(kind) ?? 0;
      product += (value - mean) * (sums.get(kind) ?? 0);
    }
    explained += total ** 2 / count + (spread > 0 ? product ** 2 / spread : 0);
  }
  return explained;
}

/** The share of the labels' variance that is explained, less what chance would (ε²). */
function shareOf(explained: number, parameters: number, rows: number, spread: Spread): number {
  const left = (spread.squares() - explained) / Math.max(1, rows - parameters);
  return 1 - left / (spread.total() / Math.max(1, rows - 1));
}

type Spread = ReturnType<typeof createSpread>;

/** How far labels are from their mean; classes as a 1 among zeros each. */
function createSpread() {
  const sums = new Map<string, number>();
  let [rows, squares] = [0, 0];
  return {
    add(kind: string, target: number): void {
      rows += 1;
      squares += target * target;
      sums.set(kind, (sums.get(kind) ?? 0) + target);
    },
    squares: () => squares,
    total: () => squares - [...sums.values()].reduce((a, b) => a + b * b, 0) / Math.max(1, rows),
  };
}
