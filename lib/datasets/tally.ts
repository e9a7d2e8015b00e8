import { invalid, MillraceError } from '../errors.ts';
import type { Samples } from '../features/cell-table.ts';
import { classNames } from '../features/class-weights.ts';
import { cellsOfSpec } from '../features/columns.ts';
import { addCounts, type Encoding } from '../features/encoder.ts';
import { hashOfClass } from '../features/hash.ts';
import { limits } from '../limits.ts';
import { listNames } from '../parse.ts';
import type { StoredRefusal } from '../refusal.ts';
import type { Spec } from '../spec/spec.ts';
import type { BadRow, Rows } from './formats/format.ts';
import type { SourcePlace, Unfinished } from './unfinished.ts';

/** Where a row comes from: its file, and the line (Parquet: the row) there. */
export type RowPlace = { readonly file: string; readonly line: number };

/** Raw samples of a dataset, in order; and what should have been some and is not. */
export type SampleChunk = {
  readonly samples: Samples;
  /** The rows that they are of, as the file has them; absent for the journal. */
  readonly rows?: Rows;
  /** Where a sample of the chunk comes from; absent for the journal. */
  readonly placeOf?: (index: number) => RowPlace;
  /** Columns that the declaration names, and none of the rows has. */
  readonly absent?: () => readonly string[];
  readonly bad?: readonly (BadRow & RowPlace)[];
  /** The place behind them; absent where the source cannot be read on from there. */
  readonly end?: SourcePlace | undefined;
};

/**
 * The number of each sample of a chunk among all rows, those that are none included: by it chance
 * decides whether it is held out.
 *
 * @param first of the chunk
 */
export function rowNumbers(
  { bad = [], placeOf }: SampleChunk,
  first: number,
): (index: number) => number {
  if (bad.length === 0 || placeOf === undefined) return (index) => first + index;
  const lines = bad.map(({ line }) => line).sort((a, b) => a - b);
  return (index) => {
    const { line } = placeOf(index);
    let [before, behind] = [0, lines.length];
    while (before < behind) {
      const middle = (before + behind) >> 1;
      if ((lines[middle] ?? 0) < line) before = middle + 1;
      else behind = middle;
    }
    return first + index + before;
  };
}

/** What a dataset's rows came to. */
export type RowSums = {
  readonly refusedRows: number;
  /** The first refused rows, as examples. */
  readonly refused: readonly StoredRefusal[];
  /** By feature, how many learnt rows have a value that the spec does not know. */
  readonly unknown: Readonly<Record<string, number>>;
  /** Where rows were refused: the classes of which none was accepted. */
  readonly refusedClasses: readonly string[];
};

/** More rows were refused than a spec allows. */
export class TooManyRefused extends MillraceError {
  readonly sums: Pick<RowSums, 'refusedRows' | 'refused' | 'unknown'> & { readonly rows: number };

  constructor(rows: number, share: number, sums: TooManyRefused['sums']) {
    const reason =
      `${sums.refusedRows} of ${rows} rows were refused, more than spec.batch.refusedShare ` +
      `(${share}) allows; the first: ${sentenceOf(sums.refused[0])}`;
    super('invalid', reason);
    this.sums = sums;
  }
}

/** Adds up what the rows of a dataset come to. */
export type RowTally = {
  readonly add: (chunk: SampleChunk, encoding: Encoding) => void;
  /** Rows so far, refused ones included. */
  readonly rows: () => number;
  readonly soFar: () => Unfinished['tally'];
  /**
   * @throws MillraceError kind `invalid` if no row can be learnt, or more are refused than the spec
   *   allows
   */
  readonly finish: (learnt: number) => RowSums;
};

const noRows: Unfinished['tally'] = {
  rows: 0,
  refusedRows: 0,
  refused: [],
  unknown: {},
  classes: [],
};

/** A tally. @param before what the rows before came to; none unless given */
export function createRowTally(spec: Spec, before = noRows): RowTally {
  const refused: StoredRefusal[] = [...before.refused];
  let unknown: RowSums['unknown'] = before.unknown;
  const classes = createClassTally(spec, before.classes);
  let { rows, refusedRows } = before;
  const note = (refusal: StoredRefusal) => {
    refusedRows += 1;
    if (refused.length < limits.refusedExamples) refused.push(refusal);
  };
  return {
    add(chunk, encoding) {
      const { samples, placeOf, bad = [] } = chunk;
      classes.add(encoding);
      const isExample = refused.length < limits.refusedExamples && encoding.refused.length > 0;
      const columns = isExample ? sentenceOfColumns(chunk) : '';
      const own = encoding.refused.map((each) => ({
        ...each,
        ...(each.code === 'missing' && { reason: each.reason + columns }),
        index: rows + each.index,
        ...placeOf?.(each.index),
      }));
      const others = bad.map(({ line, file, reason, text }) => ({
        index: rows + samples.length,
        field: 'row',
        code: 'bad-row' as const,
        reason: text === '' ? reason : `${reason} (found ${JSON.stringify(text)})`,
        file,
        line,
      }));
      const lineOf = ({ line = 0 }: StoredRefusal) => line;
      for (const each of [...own, ...others].sort((x, y) => lineOf(x) - lineOf(y))) note(each);
      unknown = addCounts(unknown, encoding.unknown);
      rows += samples.length + bad.length;
    },
    rows: () => rows,
    soFar: () => ({ rows, refusedRows, refused, unknown, classes: classes.accepted() }),
    finish(learnt) {
      const first = refused[0];
      if (learnt === 0) throw nothingToLearn(rows, first);
      const { refusedShare } = spec.batch;
      if (refusedRows > refusedShare * rows) {
        const sums = { rows: rows - refusedRows, refusedRows, refused, unknown };
        throw new TooManyRefused(rows, refusedShare, sums);
      }
      return {
        refusedRows,
        refused,
        unknown,
        refusedClasses: refusedRows > 0 ? classes.missing() : [],
      };
    },
  };
}

/** The classes of which some rows were accepted. */
function createClassTally(spec: Spec, before: readonly number[]) {
  const declared = classNames(spec);
  const grows = spec.label.maxClasses !== undefined;
  const cells = cellsOfSpec(spec);
  const labelOf = (name: string, place: number) =>
    grows ? hashOfClass(cells.text(name) ?? name) : place;
  const accepted = new Set<number>(before);
  return {
    accepted: () => [...accepted],
    add({ samples }: Encoding) {
      if (declared.length === 0) return;
      let before: number | undefined;
      const { labels } = samples;
      // (A loop without an iterator. Neighbours are often of one class, which is noted once.)
      for (let i = 0; i < labels.length; i++) {
        const label = labels[i] ?? 0;
        if (label !== before) accepted.add(label);
        before = label;
      }
    },
    /** The others; where rows were refused, theirs may be among them, however they failed. */
    missing: () => declared.filter((name, place) => !accepted.has(labelOf(name, place))),
  };
}

/** Of columns that no row has: which, and what there is instead. */
function sentenceOfColumns({ rows, absent, placeOf }: SampleChunk): string {
  const row = rows?.at(0);
  const none = absent?.() ?? [];
  if (row === undefined || none.length === 0) return '';
  const found = Object.keys(row);
  const isOneCell = found.length === 1 && /\.[ct]sv\b/i.test(placeOf?.(0).file ?? '');
  const hint = isOneCell
    ? '; what tells cells apart is a comma, semicolon, tab or |, or what a first line `sep=` says'
    : '';
  const others = listNames(found) || 'none of those that are needed';
  return `; no row here has a column ${listNames(none)} (found ${others}${hint})`;
}

function nothingToLearn(rows: number, first: StoredRefusal | undefined) {
  const none =
    rows === 0 ? 'it has no rows' : 'all are held out by spec.batch.validation; hold out fewer';
  const why = first === undefined ? none : sentenceOf(first);
  return invalid(
    `the dataset has no row that can be learnt (${rows} ${rows === 1 ? 'row' : 'rows'}; ${why})`,
  );
}

function sentenceOf(first: StoredRefusal | undefined): string {
  if (first === undefined) return 'none';
  const { file, line, index, field, reason } = first;
  const where = file === undefined ? `row ${index}` : `${file}, line ${line}`;
  return `${where}, ${field}: ${reason}`;
}
