/** A row as its file has it: values by column. */
export type Row = Readonly<Record<string, unknown>>;

/** Items that may be made whenever somebody asks for one. */
export type Items<Item> = Iterable<Item> & {
  readonly length: number;
  readonly at: (index: number) => Item | undefined;
};

/** Goes through items that are made on request. */
export function* eachOf<Item>({ length, at }: Pick<Items<Item>, 'length' | 'at'>): Generator<Item> {
  for (let index = 0; index < length; index++) {
    const item = at(index);
    if (item !== undefined) yield item;
  }
}

/** Items that are each made of one of others, whenever it is asked for. */
export function mapped<Item, Other>(items: Items<Item>, of: (item: Item) => Other): Items<Other> {
  return {
    length: items.length,
    at(index) {
      const item = items.at(index);
      return item === undefined ? undefined : of(item);
    },
    *[Symbol.iterator]() {
      for (const item of items) yield of(item);
    },
  };
}

/** Where the cells of each column can be had without those of the others. */
export type CellTable = {
  /** The cells of a column; undefined if there is none of that name. */
  readonly column: (name: string) => CellColumn | undefined;
};

/** Raw samples; those that are the rows of a table know its columns. */
export type Samples = Items<unknown> & Partial<CellTable>;

/** The cells of one column, row by row. */
export type CellColumn = TextColumn | ValueColumn | CodedColumn;

/** Cells as a text has them. */
export type TextColumn = {
  readonly kind: 'text';
  /** UTF-8. */
  readonly bytes: Uint8Array;
  /** Where the cell of a row begins, at `row * stride + offset`, and behind that where it ends. */
  readonly bounds: Int32Array;
  readonly stride: number;
  readonly offset: number;
  /** The text of a row's cell; undefined where the row can only be had as a whole. */
  readonly textOf: (row: number) => string | undefined;
  /** Whether a comma is the decimal point. */
  readonly hasDecimalComma: boolean;
};

/** Cells as values. */
export type ValueColumn = {
  readonly kind: 'values';
  readonly values: ArrayLike<unknown>;
  /** The place of the first row's. */
  readonly from: number;
};

/** Values by their places among a few that are known. */
export type CodedValues = { readonly places: Uint32Array; readonly known: readonly unknown[] };

/** Cells as coded values. */
export type CodedColumn = CodedValues & {
  readonly kind: 'coded';
  /** The place of the first row's. */
  readonly from: number;
};

/** Rows of a table, or samples: so many, from one on. */
export type RowRange = { readonly start: number; readonly count: number };

/** The columns of some rows, in an order that is known. */
export type FoundColumns = {
  readonly columns: readonly (CellColumn | undefined)[];
  /** Of each row, 0 unless it must be read as a whole. */
  readonly left: Uint8Array;
  /** The place of the first row in the columns. */
  readonly start: number;
};
