import { grown } from '../grown.ts';
import { CellIndex } from './cell-index.ts';
import type { CellColumn, CodedColumn, RowRange, TextColumn, ValueColumn } from './cell-table.ts';
import { withDecimalPoint } from './decimal-comma.ts';
import { plainNumber } from './plain-number.ts';
import type { EncodedSamples } from './samples.ts';

/** What one column of a dataset is written into. */
export type Role = {
  readonly column: string;
  /** Whether a text that is a number may be handed over as one. */
  readonly takesNumbers: boolean;
  /** Whether a text that is a number with a decimal comma is one, in tables that have those. */
  readonly readsDecimals: boolean;
  /** Whether others are taken from its text. */
  readonly isSource: boolean;
  /** Writes a cell into a row. @returns whether it could */
  readonly write: (cell: unknown, into: EncodedSamples, row: number) => boolean;
  /** What others are taken from. */
  readonly textOf: (cell: unknown) => string | undefined;
  /** The values of a row that it writes. */
  readonly parts: readonly Part[];
};

/** Some of the values of each row, in one of the arrays of samples. */
export type Part = {
  readonly of: (samples: EncodedSamples) => EncodedSamples['raw'] | Int32Array;
  /** Values of a row in the array, and the first and the number of those. */
  readonly stride: number;
  readonly offset: number;
  readonly width: number;
};

/** Rows of a table, where they are written, and which of them are left to be read as samples. */
export type Writing = {
  readonly rows: RowRange;
  readonly into: EncodedSamples;
  readonly left: Uint8Array;
  /** Is called before each cell that takes long to read, and may throw to break it off. */
  readonly beforeEach: () => void;
};

/** Wider ones take more than it costs to read a cell again. */
const widestAnswer = 16;

/** Where of more cells than these most are new, answers are not worth being kept. */
const fewestAnswers = 1_024;

/** Longer texts hardly ever come again. */
const longestText = 64;

/** Writes into a row what came of a cell before. */
type Repeat = (answer: number, row: number) => void;

/** Answers of cells that could not be written. */
const refused = 1;

/** Writes the cells of one column, all texts or all values, and remembers what came of each. */
export class AnswerMemory {
  readonly #role: Role;
  readonly #width: number;
  #texts: CellIndex | undefined;
  readonly #values = new Map<unknown, number>();
  /** The same of dates, which are objects: by their milliseconds. */
  readonly #times = new Map<unknown, number>();
  /** [size, width]: what was written. */
  #answers = new Float64Array(16);
  #refused = new Uint8Array(16);
  #hasRefused = false;
  readonly #sourceTexts: (string | undefined)[] = [];
  #size = 0;
  #asked = 0;
  #ofRows = new Int32Array(0);
  #found = new Int32Array(0);

  constructor(role: Role) {
    this.#role = role;
    this.#width = role.parts.reduce((sum, { width }) => sum + width, 0);
  }

  /** So many answers are remembered. */
  get size(): number {
    return this.#size;
  }

  /** Which answer each row has that was written last; only where others are taken from it. */
  get ofRows(): Int32Array {
    return this.#ofRows;
  }

  /** The text of a row that was written last. */
  textAt(row: number): string | undefined {
    return this.#sourceTexts[this.#ofRows[row] ?? -1];
  }

  /** Writes rows of a column; undefined if a table has none of that name. */
  write(column: CellColumn | undefined, writing: Writing): void {
    const { count } = writing.rows;
    if (this.#role.isSource) this.#ofRows = new Int32Array(count).fill(-1);
    if (column?.kind === 'text') this.#writeTexts(column, writing);
    else if (column?.kind === 'coded') this.#writeCoded(column, writing);
    else {
      const nothing = { kind: 'values' as const, values: { length: count }, from: 0 };
      const start = column === undefined ? 0 : writing.rows.start;
      this.#writeValues(column ?? nothing, { ...writing, rows: { start, count } });
    }
  }

  #writeTexts(column: TextColumn, writing: Writing): void {
    const { rows, into, left, beforeEach } = writing;
    const { start, count } = rows;
    const { bytes, bounds, stride, offset, hasDecimalComma } = column;
    const { write, takesNumbers, readsDecimals, isSource } = this.#role;
    const cellOf = (row: number) => {
      const text = column.textOf(start + row);
      return readsDecimals ? withDecimalPoint(text, column) : text;
    };
    const readsNumbers = takesNumbers && !isSource;
    this.#texts ??= new CellIndex();
    const index = this.#texts;
    const repeat = this.#repeater(into);
    this.#asked += count;
    if (this.#found.length < count) this.#found = new Int32Array(count);
    const found = this.#found.subarray(0, count);
    if (readsNumbers || !this.#isWorthIt()) found.fill(-1);
    else {
      const known = index.find(column, rows, found);
      this.#repeatFound(found, writing);
      if (known === count) return;
    }
    for (let row = 0; row < count; row++) {
      if (left[row] !== 0 || (found[row] ?? -1) >= 0) continue;
      const place = (start + row) * stride + offset;
      const from = bounds[place] ?? -1;
      const to = bounds[place + 1] ?? -1;
      if (from < 0) {
        left[row] = 1;
        continue;
      }
      if (readsNumbers) {
        const number = plainNumber(bytes, from, to, hasDecimalComma);
        if (!Number.isNaN(number)) {
          if (!write(number, into, row)) left[row] = 1;
          continue;
        }
      }
      if (this.#isWorthIt()) {
        const { size } = index;
        const answer = index.numberOf(bytes, from, to);
        if (answer >= 0) {
          if (answer === size) this.#keep(answer, cellOf(row), into, row);
          else repeat(answer, row);
          if (this.#refused[answer] === refused) left[row] = 1;
          else if (isSource) this.#ofRows[row] = answer;
          continue;
        }
      }
      beforeEach();
      if (isSource || !write(cellOf(row), into, row)) left[row] = 1;
    }
  }

  /** Writes into rows what came of their cells before, where that is known. */
  #repeatFound(found: Int32Array, { into, left }: Writing): void {
    const { parts, isSource } = this.#role;
    const answers = this.#answers;
    const all = this.#width;
    let at = 0;
    // (Rows that are left may be written, too: nobody reads them.)
    for (const { of, stride, offset, width } of parts) {
      const values = of(into);
      for (let i = 0; i < width; i++, at++)
        for (let row = 0, place = offset + i; row < found.length; row++, place += stride) {
          const answer = found[row] ?? -1;
          if (answer >= 0) values[place] = answers[answer * all + at] ?? 0;
        }
    }
    if (!this.#hasRefused && !isSource) return;
    for (let row = 0; row < found.length; row++) {
      const answer = found[row] ?? -1;
      if (answer < 0 || left[row] !== 0) continue;
      if (this.#refused[answer] === refused) left[row] = 1;
      else if (isSource) this.#ofRows[row] = answer;
    }
  }

  #writeValues({ values, from }: ValueColumn, writing: Writing): void {
    const { rows, into, left } = writing;
    const { start, count } = rows;
    const where = { ...writing, repeat: this.#repeater(into) };
    this.#asked += count;
    for (let row = 0; row < count; row++)
      if (left[row] === 0) this.#writeValue(values[from + start + row] ?? undefined, row, where);
  }

  /** Of values by their places, each answer is looked for once. */
  #writeCoded({ places, known, from }: CodedColumn, writing: Writing): void {
    const { rows, into, left } = writing;
    const { start, count } = rows;
    const { isSource } = this.#role;
    const repeat = this.#repeater(into);
    const where = { ...writing, repeat };
    const answers = new Int32Array(known.length).fill(-1);
    this.#asked += count;
    for (let row = 0; row < count; row++) {
      if (left[row] !== 0) continue;
      const place = places[from + start + row] ?? 0;
      const answer = answers[place] ?? -1;
      if (answer < 0) answers[place] = this.#writeValue(known[place] ?? undefined, row, where);
      else {
        repeat(answer, row);
        if (this.#refused[answer] === refused) left[row] = 1;
        else if (isSource) this.#ofRows[row] = answer;
      }
    }
  }

  /** Writes a value into a row. @returns its answer, −1 if that is not kept */
  #writeValue(
    cell: unknown,
    row: number,
    { into, left, beforeEach, repeat }: Writing & { readonly repeat: Repeat },
  ): number {
    const { write, takesNumbers, isSource } = this.#role;
    const isTime = cell instanceof Date;
    const isKept =
      (typeof cell === 'string'
        ? cell.length <= longestText
        : isTime || typeof cell !== 'object') &&
      (isSource || !(takesNumbers && typeof cell === 'number')) &&
      this.#isWorthIt();
    if (!isKept) {
      if (typeof cell === 'string' || typeof cell === 'object') beforeEach();
      if (isSource || !write(cell, into, row)) left[row] = 1;
      return -1;
    }
    const known = isTime ? this.#times : this.#values;
    const key = isTime ? cell.getTime() : cell;
    const found = known.get(key);
    const answer = found ?? this.size;
    if (found !== undefined) repeat(found, row);
    else {
      known.set(key, answer);
      this.#keep(answer, cell, into, row);
    }
    if (this.#refused[answer] === refused) left[row] = 1;
    else if (isSource) this.#ofRows[row] = answer;
    return answer;
  }

  /** Whether what comes of a cell is kept. */
  #isWorthIt(): boolean {
    if (this.#role.isSource) return true;
    return (
      this.#width <= widestAnswer && (this.size < fewestAnswers || 2 * this.size < this.#asked)
    );
  }

  /** Writes a cell that is new, and keeps what comes of it. */
  #keep(answer: number, cell: unknown, into: EncodedSamples, row: number): void {
    const { parts, write, textOf, isSource } = this.#role;
    this.#size += 1;
    if (answer >= this.#refused.length) this.#refused = grown(this.#refused, answer + 1);
    let place = answer * this.#width;
    if (place + this.#width > this.#answers.length)
      this.#answers = grown(this.#answers, place + this.#width);
    const isWritten = write(cell, into, row);
    const text = isWritten && isSource ? textOf(cell) : undefined;
    this.#sourceTexts[answer] = text;
    const isRefused = !isWritten || (isSource && text === undefined);
    this.#refused[answer] = isRefused ? refused : 0;
    this.#hasRefused ||= isRefused;
    for (const { of, stride, offset, width } of parts) {
      const values = of(into);
      for (let i = 0; i < width; i++)
        this.#answers[place++] = values[row * stride + offset + i] ?? 0;
    }
  }

  /** Writes into a row what came of a cell before. */
  #repeater(into: EncodedSamples): Repeat {
    const parts = this.#role.parts.map(({ of, ...part }) => ({ ...part, values: of(into) }));
    const [one] = parts;
    if (parts.length === 1 && one?.width === 1) {
      const { values, stride, offset } = one;
      return (answer, row) => {
        values[row * stride + offset] = this.#answers[answer] ?? 0;
      };
    }
    return (answer, row) => {
      let place = answer * this.#width;
      for (const { values, stride, offset, width } of parts)
        for (let i = 0; i < width; i++)
          values[row * stride + offset + i] = this.#answers[place++] ?? 0;
    };
  }
}
