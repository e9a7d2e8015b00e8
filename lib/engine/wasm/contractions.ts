import type { FunctionBuilder } from '../../wasm/assembler.ts';
import { elementBytes, lanes } from '../../wasm/instructions.ts';
import type { Local } from '../../wasm/integer-code.ts';
import { vectorsOf } from './lanes.ts';
import { fillElements } from './loops.ts';

/** How often an index goes on, and how far each operand does with it, in bytes. */
export type Index = {
  readonly size: number;
  readonly a: number;
  readonly b: number;
  /** Undefined where its products are summed. */
  readonly c?: number | undefined;
};

/** C[…] = Σ A[…] · B[…], as `einsum` has it; or C[…] += Σ A[…] · B[…]. */
export type Contraction = {
  /** The addresses of the first elements. */
  readonly a: number;
  readonly b: number;
  readonly c: number;
  /** Those of C from its slowest to its fastest, each a part of C or of windows over it. */
  readonly indices: readonly Index[];
  readonly adds: boolean;
};

/** Columns, and sums, that are in registers at once: processors have 16 vectors. */
const [columnsAtOnce, sumsAtOnce] = [2 * lanes, 8];
/** Terms whose instructions are written one after another. */
const unrolled = 4;
/** From so many terms on, sums over the slowest index are added up in memory: they round less. */
const manyTerms = 1_024;

/**
 * Emits a contraction: four columns a vector, which are the fastest index of C, and some rows at
 * once. The terms of each element are added up in the order of their indices.
 */
export function emitContraction(f: FunctionBuilder, contraction: Contraction): void {
  const free = join(contraction.indices.filter(({ c }) => c !== undefined));
  const summed = join(contraction.indices.filter(({ c }) => c === undefined));
  const [slowest, ...others] = summed;
  const terms = summed.reduce((product, { size }) => product * size, 1);
  const isLong = slowest !== undefined && others.length > 0 && terms >= manyTerms;
  const columns = free.at(-1)?.c === elementBytes ? free.at(-1) : undefined;
  const outer = columns === undefined ? free : free.slice(0, -1);
  const operands = createOperands(f, contraction);
  const parts: Parts = {
    f,
    operands,
    columns: columns ?? { size: 1, a: 0, b: 0, c: elementBytes },
    rows: rowsOf(outer, columns, contraction.adds),
    summed: isLong ? others : summed,
    adds: contraction.adds || isLong,
  };
  if (isLong && !contraction.adds) {
    const count = free.reduce((product, { size }) => product * size, 1);
    fillElements(f, { address: contraction.c, count, value: 0 });
  }
  overAll(operands, isLong ? [slowest] : [], () => overRows(parts, outer));
}

/** Indices as few as their strides allow. */
function join(indices: readonly Index[]): Index[] {
  const joined: Index[] = [];
  for (const index of indices) {
    if (index.size === 1) continue;
    const { size, a, b, c } = index;
    const last = joined.at(-1);
    const isGoingOn =
      last?.a === a * size && last.b === b * size && (last.c ?? 0) === (c ?? 0) * size;
    if (last !== undefined && isGoingOn) joined.splice(-1, 1, { ...index, size: last.size * size });
    else joined.push(index);
  }
  return joined;
}

/**
 * The index of which some are in registers at once: the one that fills them best, the fastest of
 * those. Where products are added to what is there, they must not lie one over the other.
 */
function rowsOf(
  indices: readonly Index[],
  columns: Index | undefined,
  adds: boolean,
): Index | undefined {
  const wide = Math.min(columnsAtOnce, columns?.size ?? 1) * elementBytes;
  const height = sumsAtOnce / 2;
  const fillOf = ({ size }: Index) => size / (Math.ceil(size / height) * height);
  return indices
    .filter(({ c = 0 }) => !adds || c >= wide)
    .reduce<Index | undefined>(
      (best, index) => (best === undefined || fillOf(index) >= fillOf(best) ? index : best),
      undefined,
    );
}

/** The operands, where the loops are. */
type Operands = {
  readonly load: (operand: 'a' | 'b' | 'c', offset: number, stride: Lanes) => Local;
  readonly store: (offset: number, value: Local, count: number) => void;
  /** Moves all of them along an index. */
  readonly move: (index: Index, count: number) => void;
  readonly repeat: (count: number, body: () => void) => void;
};

/** Bytes between the lanes of a vector, of which `count` are used. */
type Lanes = { readonly stride: number; readonly count: number };

function createOperands(f: FunctionBuilder, addresses: Contraction): Operands {
  const at = { a: f.local('i32'), b: f.local('i32'), c: f.local('i32') };
  for (const local of Object.values(at)) f.setInteger(local, 0);
  return {
    load(operand, offset, { stride, count }) {
      const address = addresses[operand] + offset;
      if (stride === 0) return f.loadSplat(at[operand], address);
      if (stride === elementBytes) return f.load(at[operand], address);
      return f.loadStrided(at[operand], address, { stride, count });
    },
    store: (offset, value, count) => f.store(at.c, addresses.c + offset, value, count),
    move({ a, b, c = 0 }, count) {
      f.add(at.a, a * count);
      f.add(at.b, b * count);
      f.add(at.c, c * count);
    },
    repeat: (count, body) => f.repeat(count, body),
  };
}

/** Loops over all of some indices. */
function overAll(operands: Operands, indices: readonly Index[], body: () => void): void {
  const [index, ...others] = indices;
  if (index === undefined) {
    body();
    return;
  }
  inBlocks(operands, index, { size: 1 }, () => overAll(operands, others, body));
}

/** Loops over an index in blocks of `size`, and the rest, and comes back to where it began. */
function inBlocks(
  { move, repeat }: Operands,
  index: Index,
  { size }: { readonly size: number },
  body: (count: number) => void,
): void {
  const blocks = Math.floor(index.size / size);
  repeat(blocks, () => {
    body(size);
    move(index, size);
  });
  if (index.size % size > 0) body(index.size % size);
  move(index, -blocks * size);
}

type Parts = {
  readonly f: FunctionBuilder;
  readonly operands: Operands;
  readonly columns: Index;
  readonly rows: Index | undefined;
  readonly summed: readonly Index[];
  readonly adds: boolean;
};

/** Loops over the indices of C but its columns, the rows in blocks. */
function overRows(parts: Parts, indices: readonly Index[], height = 1): void {
  const { operands, columns, rows } = parts;
  const [index, ...others] = indices;
  if (index === undefined) {
    inBlocks(operands, columns, { size: columnsAtOnce }, (count) => {
      emitBlock(parts, { height, vectors: vectorsOf(count) });
    });
    return;
  }
  const vectors = Math.min(2, Math.ceil(columns.size / lanes));
  const size = index === rows ? sumsAtOnce / vectors : 1;
  inBlocks(operands, index, { size }, (count) => {
    overRows(parts, others, index === rows ? count : height);
  });
}

type Block = { readonly height: number; readonly vectors: readonly number[] };

/** Some rows and columns of C. */
function emitBlock(parts: Parts, { height, vectors }: Block): void {
  const { f, operands, columns, summed, adds } = parts;
  const rows = parts.rows ?? columns;
  const offsetOf = (operand: 'a' | 'b' | 'c', i: number, j: number) =>
    i * (rows[operand] ?? 0) + j * lanes * (columns[operand] ?? 0);
  const sums = Array.from({ length: height }, (_, i) =>
    vectors.map((count, j) => {
      const sum = f.local('v128');
      const begin = adds
        ? operands.load('c', offsetOf('c', i, j), { stride: elementBytes, count })
        : f.constant(0);
      f.assign(sum, 'v128.or', begin, begin);
      return sum;
    }),
  );
  const inner = summed.at(-1) ?? { size: 1, a: 0, b: 0 };
  const step = (place: number) => {
    /** The elements of an operand, each read once for all rows or columns that share it. */
    const elements = (operand: 'a' | 'b') => {
      const known = new Map<number, Local>();
      return (i: number, j: number) => {
        const offset = offsetOf(operand, i, j) + place * inner[operand];
        const lanesOf = { stride: columns[operand], count: vectors[j] ?? lanes };
        const value = known.get(offset) ?? operands.load(operand, offset, lanesOf);
        known.set(offset, value);
        return value;
      };
    };
    const [left, right] = [elements('a'), elements('b')];
    sums.forEach((row, i) => {
      row.forEach((sum, j) => {
        f.addProduct(sum, left(i, j), right(i, j));
      });
    });
  };
  overAll(operands, summed.slice(0, -1), () => {
    inBlocks(operands, inner, { size: unrolled }, (count) => {
      for (let place = 0; place < count; place++) step(place);
    });
  });
  sums.forEach((row, i) => {
    row.forEach((sum, j) => {
      operands.store(offsetOf('c', i, j), sum, vectors[j] ?? lanes);
    });
  });
}
