import { FunctionBuilder } from '../../wasm/assembler.ts';
import { vectorBytes } from '../../wasm/instructions.ts';
import type { Literal, Local } from '../../wasm/integer-code.ts';
import { encodeModule } from '../../wasm/module.ts';
import { type Instance, instantiateSmall } from '../../wasm/runtime.ts';
import { quote } from './cell-bytes.ts';
import { carriageReturn, newline, space } from './text-reader.ts';

/** Some bytes of a text, and which of its rows are looked for. */
export type Scan = {
  /** The text, where the first row begins, and how many bytes from there on are looked at. */
  readonly text: Uint8Array;
  readonly start: number;
  readonly sizeBytes: number;
  /** No more rows than these, and none that begins at byte `to` of the text or behind it. */
  readonly rows: number;
  readonly to: number;
  readonly cells: number;
  /** The byte between cells. */
  readonly delimiter: number;
};

/** Where the bounds of cells are written, and what is added to them: where the first row begins. */
export type Bounds = {
  readonly bounds: Int32Array;
  readonly place: number;
  readonly origin: number;
};

/** Rows that were found, and how many bytes they have. */
export type Scanned = {
  readonly rows: number;
  readonly bytes: number;
  /** Whether what follows is no plain row, so far as one of them was looked at. */
  readonly isOdd: boolean;
};

/** So many bytes are looked at in one call, at most. */
export const mostScanned = 32_768;

const integerBytes = 4;
/** Two integers of each cell. */
const boundsBytes = 2 * integerBytes;
/** Where things lie in the memory of the module: what it found, the text, and the bounds. */
const [rowsAt, endAt, isOddAt, textAt] = [0, 4, 8, 64] as const;
/** So much is loaded from behind the end of the text. */
const behindBytes = 2 * vectorBytes;
const boundsAt = textAt + mostScanned + behindBytes;
/** What stands behind a text: it neither ends a cell nor stands at its edge. */
const neutral = '0'.charCodeAt(0);

/** Finds where the cells of plain rows begin and end, see {@link scanFunction}. */
export class LineScanner {
  readonly #scan: Instance['call'];
  readonly #bytes: Uint8Array;
  readonly #integers: Int32Array;

  constructor() {
    const { memory, call } = instantiateSmall(
      encodeModule({
        functions: [scanFunction()],
        exports: { scan: 0 },
        // Each byte may end a cell.
        memoryBytes: boundsAt + boundsBytes * (mostScanned + vectorBytes),
        segments: [],
      }),
    );
    this.#scan = call;
    this.#bytes = new Uint8Array(memory.buffer);
    this.#integers = new Int32Array(memory.buffer);
  }

  /**
   * Writes where each cell of some rows begins and ends, up to the first row that is not plain: a
   * line with so many cells, nothing in it quoted, or white at the edges of a cell.
   */
  scan(
    { text, start, sizeBytes, rows, to, cells, delimiter }: Scan,
    { bounds, place, origin }: Bounds,
  ): Scanned {
    const bytes = Math.min(sizeBytes, mostScanned, text.length - start);
    this.#bytes.set(text.subarray(start, start + bytes), textAt);
    this.#bytes.fill(neutral, textAt + bytes, textAt + bytes + behindBytes);
    const most = Math.min(bytes, to - start);
    this.#scan('scan', bytes, most, rows, cells, delimiter, origin);
    const found = this.#integerAt(rowsAt);
    const first = boundsAt / integerBytes;
    bounds.set(this.#integers.subarray(first, first + 2 * cells * found), place);
    return { rows: found, bytes: this.#integerAt(endAt), isOdd: this.#integerAt(isOddAt) !== 0 };
  }

  #integerAt(address: number): number {
    return this.#integers[address / integerBytes] ?? 0;
  }
}

/**
 * The function of the module: from sixteen bytes at a time to the bits of those that end a cell,
 * and from one such bit to the next (Langdale and Lemire 2019, "Parsing Gigabytes of JSON per
 * Second"). A loop over bytes takes four times as long.
 */
function scanFunction(): FunctionBuilder {
  const f = new FunctionBuilder({ parameters: 6 });
  const [bytes, to, mostRows, cells, delimiter, origin] = [0, 1, 2, 3, 4, 5] as const;
  const integer = () => f.local('i32');
  const [at, out, rows, isOdd] = [integer(), integer(), integer(), integer()];
  const [rowStart, cellStart, cellsLeft] = [integer(), integer(), integer()];
  const leave = () => {
    f.storeInteger(undefined, rowsAt, rows);
    f.storeInteger(undefined, endAt, rowStart);
    f.storeInteger(undefined, isOddAt, isOdd);
    f.leave();
  };
  const leaveIfOdd = (condition: Local) =>
    f.when(condition, () => {
      f.setInteger(isOdd, 1);
      leave();
    });
  const carried = { isFirst: integer(), isReturned: integer() };
  f.setInteger(carried.isFirst, 1);
  f.multiply(cellsLeft, cells, 1);
  const blocks = f.integer('i32.shr_u', f.integer('i32.add', bytes, { literal: vectorBytes - 1 }), {
    literal: Math.log2(vectorBytes),
  });
  f.repeatWhile(blocks, () => {
    const block = marksOf(f, { at, delimiter, carried });
    leaveIfOdd(block.odd);
    f.repeatUntilZero(block.ends, () => {
      const bit = f.integer('i32.ctz', block.ends);
      const end = f.integer('i32.add', at, bit);
      f.storeInteger(out, boundsAt, f.integer('i32.add', origin, cellStart));
      f.storeInteger(out, boundsAt + integerBytes, f.integer('i32.add', origin, end));
      f.add(out, boundsBytes);
      f.add(cellsLeft, -1);
      f.multiply(cellStart, end, 1, 1);
      f.when(bitAt(f, block.lineEnds, bit), () => {
        leaveIfOdd(cellsLeft);
        leaveIfOdd(f.integer('i32.eq', end, rowStart));
        f.assign(cellStart, 'i32.add', cellStart, bitAt(f, block.returns, bit));
        f.multiply(rowStart, cellStart, 1);
        f.multiply(cellsLeft, cells, 1);
        f.add(rows, 1);
        f.when(f.integer('i32.eq', rows, mostRows), leave);
        f.when(f.integer('i32.ge_u', rowStart, to), leave);
      });
      const without = f.integer('i32.sub', block.ends, { literal: 1 });
      f.assign(block.ends, 'i32.and', block.ends, without);
    });
    f.add(at, vectorBytes);
  });
  leave();
  return f;
}

/** Bits of sixteen bytes, the first one lowest. */
type Marks = {
  /** Those that end cells, the last ones of lines among them: newlines, or what is before them. */
  readonly ends: Local;
  readonly lineEnds: Local;
  /** Carriage returns before a newline. */
  readonly returns: Local;
  /** Quotes, lone carriage returns, and what may be white at the edge of a cell. */
  readonly odd: Local;
};

function marksOf(
  f: FunctionBuilder,
  {
    at,
    delimiter,
    carried,
  }: {
    readonly at: Local;
    readonly delimiter: Local;
    /** Whether a cell begins with the first byte, and whether a return stood before it. */
    readonly carried: { readonly isFirst: Local; readonly isReturned: Local };
  },
): Marks {
  const and = (a: Local, b: Local) => f.integer('i32.and', a, b);
  const or = (a: Local, b: Local) => f.integer('i32.or', a, b);
  const without = (a: Local, b: Local) => f.integer('i32.xor', a, and(a, b));
  const before = (bits: Local, last: Local) =>
    or(
      f.integer('i32.shr_u', bits, { literal: 1 }),
      f.integer('i32.shl', last, { literal: vectorBytes - 1 }),
    );
  const behind = (bits: Local, first: Local) =>
    or(f.integer('i32.shl', bits, { literal: 1 }), first);
  const last = (bits: Local) => f.integer('i32.shr_u', bits, { literal: vectorBytes - 1 });
  const text = f.load(at, textAt);
  const all = (byte: Local | Literal) => f.vector('i8x16.splat', byte);
  const bitsOf = (byte: Local | Literal) =>
    f.integer('i8x16.bitmask', f.vector('i8x16.eq', text, all(byte)));
  const next = f.local('i32');
  f.loadByte(next, at, textAt + vectorBytes);
  const isNext = (byte: number) => f.integer('i32.eq', next, { literal: byte });

  const delimiters = bitsOf(delimiter);
  const newlines = bitsOf({ literal: newline });
  const allReturns = bitsOf({ literal: carriageReturn });
  const returns = and(allReturns, before(newlines, isNext(newline)));
  const lineEnds = or(returns, without(newlines, behind(returns, carried.isReturned)));
  const ends = or(delimiters, lineEnds);
  const beforeFirst = or(delimiters, newlines);
  const isNextEnd = or(
    or(isNext(newline), isNext(carriageReturn)),
    f.integer('i32.eq', next, delimiter),
  );
  const edges = or(behind(beforeFirst, carried.isFirst), before(ends, isNextEnd));
  // (As signed bytes those beyond ASCII are less than a space, too.)
  const mayBeWhite = f.integer(
    'i8x16.bitmask',
    f.vector('i8x16.lt_s', text, all({ literal: space + 1 })),
  );
  const whiteEdges = and(without(mayBeWhite, or(ends, newlines)), edges);
  const loneReturns = without(allReturns, returns);
  const odd = or(or(whiteEdges, loneReturns), bitsOf({ literal: quote }));
  f.multiply(carried.isFirst, last(beforeFirst), 1);
  f.multiply(carried.isReturned, last(returns), 1);
  return { ends, lineEnds, returns, odd };
}

/** One of some bits. */
function bitAt(f: FunctionBuilder, bits: Local, bit: Local): Local {
  return f.integer('i32.and', f.integer('i32.shr_u', bits, bit), { literal: 1 });
}
