import type { Items } from './cell-table.ts';

/** Cells under their name, one for each sample. */
export type NamedCells = { readonly name: string; readonly cells: readonly unknown[] };

/** A field of all samples: its cells, or its own columns where each sample has an object there. */
export type TableField =
  | NamedCells
  | { readonly name: string; readonly columns: readonly NamedCells[] };

/** What samples may have in a message, as columns; features are an object of columns. */
export const fieldNames = ['features', 'label', 'weight', 'id', 'default'];

/** Raw samples of a message: one by one, or as a table. */
export type RawSamples = readonly unknown[] | SampleTable;

/**
 * Samples that are kept column by column. A table stands for the list of the samples that it makes,
 * in all that comes of them, to the byte of their JSON. It takes a quarter of their bytes, or less:
 * no name is repeated.
 */
export class SampleTable implements Items<unknown> {
  /** In the order in which samples have them. */
  readonly fields: readonly TableField[];
  readonly length: number;

  /** @param length of all cells */
  constructor(fields: readonly TableField[], length: number) {
    this.fields = fields;
    this.length = length;
  }

  /** How many bytes of names each sample has as JSON. */
  get nameBytes(): number {
    const names = this.fields.flatMap((field) => [
      field.name,
      ...('cells' in field ? [] : field.columns.map(({ name }) => name)),
    ]);
    return Buffer.byteLength(names.map((name) => `${JSON.stringify(name)}:`).join());
  }

  has(name: string): boolean {
    return this.fields.some((field) => field.name === name);
  }

  at(index: number): unknown {
    const row = index < 0 ? index + this.length : index;
    if (!(row >= 0 && row < this.length)) return undefined;
    return objectOf(this.fields, (cells) => cells[row]);
  }

  *[Symbol.iterator](): Generator<unknown> {
    for (let row = 0; row < this.length; row++) yield this.at(row);
  }

  keys(): Iterable<number> {
    return Array(this.length).keys();
  }

  /** The samples at some places, in their order. */
  pick(places: readonly number[]): SampleTable {
    const picked = ({ name, cells }: NamedCells) => ({
      name,
      cells: places.map((place) => cells[place]),
    });
    const fields = this.fields.map((field) =>
      'cells' in field ? picked(field) : { ...field, columns: field.columns.map(picked) },
    );
    return new SampleTable(fields, places.length);
  }

  /** As messages and entries have it. */
  toJSON(): object {
    return objectOf(this.fields, (cells) => cells);
  }

  /** What `JSON.stringify` writes of each sample. */
  texts(): readonly string[] {
    const texts = new Array<string>(this.length).fill('');
    let before = '{';
    for (const field of this.fields) {
      before += `${JSON.stringify(field.name)}:`;
      if ('cells' in field) {
        addTexts(texts, before, field.cells);
        before = ',';
        continue;
      }
      before += '{';
      for (const { name, cells } of field.columns) {
        addTexts(texts, `${before}${JSON.stringify(name)}:`, cells);
        before = ',';
      }
      before = field.columns.length === 0 ? `${before}},` : '},';
    }
    const end = `${before.replace(/,$/, '')}}`;
    return texts.map((text) => text + end);
  }
}

/** An object of fields, in which something stands for the cells of each. */
function objectOf(
  fields: readonly TableField[],
  of: (cells: NamedCells['cells']) => unknown,
): Record<string, unknown> {
  const made = {};
  for (const field of fields)
    put(made, field.name, 'cells' in field ? of(field.cells) : objectOf(field.columns, of));
  return made;
}

/** Puts a value under any name: to assign to `__proto__` would not make a field of it. */
function put(into: Record<string, unknown>, name: string, value: unknown): void {
  if (name !== '__proto__') into[name] = value;
  else Object.defineProperty(into, name, { value, enumerable: true, configurable: true });
}

/** Adds the JSON of each cell to the text of its sample. */
function addTexts(texts: string[], before: string, cells: readonly unknown[]): void {
  const known = new Map<unknown, string>();
  for (let row = 0; row < texts.length; row++) {
    const cell = cells[row];
    if (typeof cell === 'number' && Number.isFinite(cell)) texts[row] += before + cell;
    else if (typeof cell !== 'string') texts[row] += before + JSON.stringify(cell);
    else {
      let text = known.get(cell);
      if (text === undefined) {
        text = before + JSON.stringify(cell);
        known.set(cell, text);
      }
      texts[row] += text;
    }
  }
}
