import { Type } from '@uwdata/flechette';

/** What is looked at of a batch's column, whatever it is of. */
type Part = {
  readonly length: number;
  readonly nullCount: number;
  readonly validity?: ArrayLike<unknown> | undefined;
  readonly values?: (ArrayLike<unknown> & { readonly BYTES_PER_ELEMENT?: number }) | undefined;
  readonly offsets?: ArrayLike<number | bigint> | undefined;
  readonly sizes?: ArrayLike<number | bigint> | undefined;
  readonly children?: readonly Part[] | undefined;
  readonly dictionary?: { readonly length: number } | undefined;
  readonly type: {
    readonly typeId: number;
    readonly bitWidth?: number;
    readonly stride?: number;
  };
};

/**
 * That the arrays of a column are as long as its rows say, and point at nothing outside of each
 * other: whoever reads beyond an array finds nothing there, or something else.
 *
 * @throws Error if not
 */
export function assertWhole(part: Part): void {
  const { length, nullCount, validity, values, offsets, sizes, children, dictionary } = part;
  const marks = validity?.length ?? 0;
  // (Where nothing has a value, there are no marks.)
  if (nullCount > 0 && marks > 0 && marks * 8 < length) throw tooShort();
  const most = children?.[0]?.length ?? values?.length ?? 0;
  if (offsets !== undefined && offsets.length > 0) {
    if (sizes === undefined) assertRising(offsets, length, most);
    else assertWithin({ offsets, sizes }, length, most);
  } else if ((values?.length ?? 0) * unitsOf(part) < length) throw tooShort();
  if (dictionary !== undefined) assertIndices(part, dictionary.length);
  children?.forEach(assertWhole);
}

/** Types that have an element of an array for each row. */
const plainTypes: ReadonlySet<number> = new Set([
  Type.Dictionary,
  Type.Int,
  Type.Float,
  Type.Date,
  Type.Time,
  Type.Timestamp,
  Type.Duration,
]);

/** How many rows an element of the values stands for; endless where there need not be any. */
function unitsOf({ values, type: { typeId, bitWidth = 0, stride = 1 } }: Part): number {
  if (plainTypes.has(typeId)) return 1;
  if (typeId === Type.Bool) return 8;
  if (typeId === Type.FixedSizeBinary) return 1 / stride;
  if (typeId === Type.Decimal) return (8 * (values?.BYTES_PER_ELEMENT ?? 1)) / bitWidth;
  return Number.POSITIVE_INFINITY;
}

/** That each index of a row that has a value is one of its dictionary. */
function assertIndices({ length, values, validity }: Part, most: number): void {
  for (let row = 0; row < length; row++) {
    const index = Number(values?.[row]);
    const isNull = (Number(validity?.[row >> 3] ?? 255) >> (row & 7)) % 2 === 0;
    const isKnown = index >= 0 && index < most;
    if (!isKnown && !(isNull && (validity?.length ?? 0) > 0)) throw outside();
  }
}

/** That each value ends behind where it begins, and the last within the values. */
function assertRising(offsets: ArrayLike<number | bigint>, length: number, most: number): void {
  if (offsets.length <= length) throw tooShort();
  let before = Number(offsets[0]);
  if (before < 0) throw outside();
  for (let i = 1; i <= length; i++) {
    const offset = Number(offsets[i]);
    if (offset < before) throw outside();
    before = offset;
  }
  if (before > most) throw outside();
}

/** The same where values may lie in any order. */
function assertWithin(
  { offsets, sizes }: Record<'offsets' | 'sizes', ArrayLike<number | bigint>>,
  length: number,
  most: number,
): void {
  if (offsets.length < length || sizes.length < length) throw tooShort();
  for (let i = 0; i < length; i++) {
    const [offset, size] = [Number(offsets[i]), Number(sizes[i])];
    if (offset < 0 || size < 0 || offset + size > most) throw outside();
  }
}

function tooShort(): Error {
  return new Error('the file is damaged: it has fewer values than rows');
}

function outside(): Error {
  return new Error('the file is damaged: a value lies outside of its values');
}
