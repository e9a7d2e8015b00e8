/** How the values of an array are written (NumPy's `dtype`). */
export type Values = {
  readonly bytes: number;
  readonly read: (view: DataView, at: number) => unknown;
};

/** A field of a structured array, or all that a plain one has. */
export type Field = { readonly name: string; readonly values: Values; readonly at: number };

/** What the header of a `.npy` file says. */
export type ArrayHeader = {
  /** Where the values begin. */
  readonly start: number;
  readonly rows: number;
  readonly rowBytes: number;
  /** Values of a row: of a structured array one for each field. */
  readonly fields: readonly Field[] | undefined;
  /** Of a plain array. */
  readonly values: Values;
  /** How many a row has; undefined where a row is a single value. */
  readonly width: number | undefined;
};

const magic = '\x93NUMPY';
/** Before the text of a header: magic, version, and how long it is. */
const [prefixOf1, prefixOf2] = [10, 12];

/** How much of a file must be read for {@link headerOf}: undefined if it is none. */
export function headerBytes(first: Uint8Array): number | undefined {
  const bytes = Buffer.from(first.buffer, first.byteOffset, first.byteLength);
  if (bytes.length < prefixOf2 || bytes.toString('latin1', 0, 6) !== magic) return undefined;
  return bytes[6] === 1 ? prefixOf1 + bytes.readUInt16LE(8) : prefixOf2 + bytes.readUInt32LE(8);
}

/** What a header says. @throws Error if it is damaged, or of an array that has no rows of values */
export function headerOf(header: Uint8Array): ArrayHeader {
  const start = header.length;
  const text = Buffer.from(header.subarray(header[6] === 1 ? prefixOf1 : prefixOf2)).toString(
    header[6] === 3 ? 'utf8' : 'latin1',
  );
  const descr = /'descr':\s*('[^']*'|\[.*?\])\s*,\s*'fortran_order'/s.exec(text)?.[1];
  const shape = /'shape':\s*\(([\d,\s]*)\)/.exec(text)?.[1];
  const isFortran = /'fortran_order':\s*True/.test(text);
  if (descr === undefined || shape === undefined) throw new Error('its header is damaged');
  const [rows, ...others] = shape.split(',').flatMap((each) => (each.trim() ? [Number(each)] : []));
  if (rows === undefined) throw new Error('it is a single value, and has no rows');
  if (isFortran && others.length > 0)
    throw new Error('it is written column by column; save numpy.ascontiguousarray() of it');
  const count = others.reduce((product, each) => product * each, 1);
  const { fields, bytes } = descr.startsWith('[')
    ? fieldsOf(descr)
    : { fields: undefined, bytes: valuesOf(descr.slice(1, -1)).bytes };
  const rowBytes = bytes * count;
  if (![rows, rowBytes].every(Number.isSafeInteger)) throw new Error('its header is damaged');
  if (rowBytes === 0) throw new Error('it has no values');
  if (fields !== undefined && others.length > 0)
    throw new Error('it is a structured array of several dimensions; save one of a single one');
  const values = fields === undefined ? valuesOf(descr.slice(1, -1)) : nothing;
  const width = others.length === 0 ? undefined : count;
  return { start, rows, rowBytes, fields, values, width };
}

const nothing: Values = { bytes: 0, read: () => undefined };

/** Of a structured array: `[('x', '<f4'), ('y', '<i8')]`. */
function fieldsOf(descr: string): { readonly fields: readonly Field[]; readonly bytes: number } {
  const fields: Field[] = [];
  let at = 0;
  const inner = descr.slice(1, -1).trim();
  const field = /\(\s*'([^']*)'\s*,\s*'([^']*)'\s*\)\s*,?\s*/gy;
  let end = 0;
  for (let found = field.exec(inner); found !== null; found = field.exec(inner)) {
    const [, name = '', type = ''] = found;
    // What only fills up has no name, and no values.
    const filling = name === '' ? /^[|]V(\d+)$/.exec(type)?.[1] : undefined;
    const values = filling === undefined ? valuesOf(type) : { ...nothing, bytes: Number(filling) };
    if (name !== '') fields.push({ name, values, at });
    at += values.bytes;
    end = field.lastIndex;
  }
  if (end < inner.length)
    throw new Error(`its fields must be single values (found ${inner.slice(end, end + 60)})`);
  return { fields, bytes: at };
}

/** How many nanoseconds the units of dates have. */
const units: Readonly<Record<string, bigint>> = {
  D: 86_400_000_000_000n,
  h: 3_600_000_000_000n,
  m: 60_000_000_000n,
  s: 1_000_000_000n,
  ms: 1_000_000n,
  us: 1_000n,
  ns: 1n,
};

const nanosecondsOfMs = 1_000_000n;

/** What stands for a date that there is none of. */
const notATime = -(2n ** 63n);

/** How values of a type are written, such as `<f4`. @throws Error that names one that is not read */
function valuesOf(type: string): Values {
  const [, order = '', kind = '', size = '', unit] =
    /^([<>|=])([a-zA-Z])(\d*)(?:\[(\w+)\])?$/.exec(type) ?? [];
  const bytes = Number(size);
  const isLittle = order !== '>';
  const numbers = numbersOf(kind + size, isLittle);
  if (numbers !== undefined) return { bytes, read: numbers };
  if (kind === 'U') return { bytes: 4 * bytes, read: textReader(bytes, isLittle) };
  if (kind === 'S')
    return { bytes, read: (view, at) => trimmed(bytesOf(view, at, bytes).toString('utf8')) };
  const perUnit = units[unit ?? ''];
  if (kind === 'M' && perUnit !== undefined)
    return {
      bytes: 8,
      read(view, at) {
        const since = view.getBigInt64(at, isLittle);
        return since === notATime ? null : new Date(Number((since * perUnit) / nanosecondsOfMs));
      },
    };
  throw new Error(
    `it has values of the type ${type}; save numbers, truth values, texts or dates instead`,
  );
}

function numbersOf(type: string, isLittle: boolean): Values['read'] | undefined {
  switch (type) {
    case 'b1':
      return (view, at) => view.getUint8(at) !== 0;
    case 'i1':
      return (view, at) => view.getInt8(at);
    case 'u1':
      return (view, at) => view.getUint8(at);
    case 'i2':
      return (view, at) => view.getInt16(at, isLittle);
    case 'u2':
      return (view, at) => view.getUint16(at, isLittle);
    case 'i4':
      return (view, at) => view.getInt32(at, isLittle);
    case 'u4':
      return (view, at) => view.getUint32(at, isLittle);
    case 'i8':
      return (view, at) => view.getBigInt64(at, isLittle);
    case 'u8':
      return (view, at) => view.getBigUint64(at, isLittle);
    case 'f2':
      return (view, at) => view.getFloat16(at, isLittle);
    case 'f4':
      return (view, at) => view.getFloat32(at, isLittle);
    case 'f8':
      return (view, at) => view.getFloat64(at, isLittle);
  }
  return undefined;
}

/** Texts of four bytes a letter, filled up with zeros. */
function textReader(letters: number, isLittle: boolean): Values['read'] {
  return (view, at) => {
    let text = '';
    for (let i = 0; i < letters; i++) {
      const point = view.getUint32(at + 4 * i, isLittle);
      if (point > 0x10ffff) throw new Error('it has a text that is none');
      text += String.fromCodePoint(point);
    }
    return trimmed(text);
  };
}

function bytesOf(view: DataView, at: number, length: number): Buffer {
  return Buffer.from(view.buffer, view.byteOffset + at, length);
}

function trimmed(text: string): string {
  return text.replace(/\0+$/, '');
}
