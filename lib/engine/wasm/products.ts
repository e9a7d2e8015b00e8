import type { FunctionBuilder } from '../../wasm/assembler.ts';
import { elementBytes, lanes } from '../../wasm/instructions.ts';
import type { Local } from '../../wasm/integer-code.ts';
import { addAcross, firstLanes, vectorsOf } from './lanes.ts';

/** A matrix in memory: bytes from one row and from one column to the next. */
export type Matrix = {
  readonly address: number;
  readonly rowStride: number;
  readonly columnStride: number;
};

/** C = A · B + D, with A [m, k] and B [k, n]; D may be broadcast, or be C itself. */
export type Product = {
  readonly m: number;
  readonly n: number;
  readonly k: number;
  readonly a: Matrix;
  readonly b: Matrix;
  readonly c: Matrix;
  readonly d?: Matrix | undefined;
};

/** Rows and vectors of C whose sums are in registers at once: 8 of the 16 that processors have. */
const sumsAtOnce = 8;
/** Steps along k whose instructions are written one after another. */
const unrolled = 4;
/** Along k, where B lies by its columns, so few elements are not worth adding up across lanes. */
const shortest = 8;

/** Emits a product of matrices. The terms of each element are added up in the order of k. */
export function emitProduct(f: FunctionBuilder, product: Product): void {
  const { m, n, k, a, b } = product;
  if (n === 1 && m > 1) {
    emitProduct(f, transpose(product));
    return;
  }
  const isByColumns = b.columnStride !== elementBytes && a.columnStride === elementBytes;
  if (n > 1 && isByColumns && b.rowStride === elementBytes && k >= shortest) emitDots(f, product);
  else emitRows(f, product);
}

/** Cᵀ = Bᵀ · Aᵀ + Dᵀ. */
function transpose({ m, n, k, a, b, c, d }: Product): Product {
  const turned = ({ address, rowStride, columnStride }: Matrix): Matrix => ({
    address,
    rowStride: columnStride,
    columnStride: rowStride,
  });
  return { m: n, n: m, k, a: turned(b), b: turned(a), c: turned(c), d: d && turned(d) };
}

/** Runs `body` for blocks of `size` of `count` rows or columns, and for the rest. */
function inBlocks(
  f: FunctionBuilder,
  { count, size, strides }: Blocks,
  body: (count: number) => void,
): void {
  const whole = Math.floor(count / size);
  for (const { local } of strides) f.setInteger(local, 0);
  f.repeat(whole, () => {
    body(size);
    for (const { local, stride } of strides) f.add(local, size * stride);
  });
  if (count % size > 0) body(count % size);
}

type Blocks = {
  readonly count: number;
  readonly size: number;
  /** Locals that begin at 0, and how far they go from one row or column to the next. */
  readonly strides: readonly { readonly local: Local; readonly stride: number }[];
};

/** C[i][j…] = D[i][j…] + Σ A[i][k] · B[k][j…], four columns a vector. */
function emitRows(f: FunctionBuilder, { m, n, k, a, b, c, d }: Product): void {
  const [column, bColumn, dColumn] = [f.local('i32'), f.local('i32'), f.local('i32')];
  const [aRow, cRow, dRow] = [f.local('i32'), f.local('i32'), f.local('i32')];
  const [aAt, bAt, cAt, dAt] = [f.local('i32'), f.local('i32'), f.local('i32'), f.local('i32')];
  const columns = [
    { local: column, stride: c.columnStride },
    { local: bColumn, stride: b.columnStride },
    { local: dColumn, stride: d?.columnStride ?? 0 },
  ];
  const rows = [
    { local: aRow, stride: a.rowStride },
    { local: cRow, stride: c.rowStride },
    { local: dRow, stride: d?.rowStride ?? 0 },
  ];
  inBlocks(f, { count: n, size: 2 * lanes, strides: columns }, (width) => {
    const vectors = vectorsOf(width);
    const size = Math.max(1, Math.floor(sumsAtOnce / vectors.length));
    inBlocks(f, { count: m, size, strides: rows }, (height) => {
      f.assign(cAt, 'i32.add', cRow, column);
      f.assign(dAt, 'i32.add', dRow, dColumn);
      f.multiply(aAt, aRow, 1);
      f.multiply(bAt, bColumn, 1);
      const sums = Array.from({ length: height }, (_, i) =>
        vectors.map((_, j) => beginSum(f, d, dAt, { i, j })),
      );
      const step = (place: number) => {
        const right = vectors.map((count, j) => {
          const offset = b.address + place * b.rowStride + j * lanes * b.columnStride;
          return b.columnStride === elementBytes
            ? f.load(bAt, offset)
            : f.loadStrided(bAt, offset, { stride: b.columnStride, count });
        });
        sums.forEach((row, i) => {
          const left = f.loadSplat(aAt, a.address + i * a.rowStride + place * a.columnStride);
          row.forEach((sum, j) => {
            f.addProduct(sum, left, right[j] ?? left);
          });
        });
      };
      f.repeat(Math.floor(k / unrolled), () => {
        for (let place = 0; place < unrolled; place++) step(place);
        f.add(aAt, unrolled * a.columnStride);
        f.add(bAt, unrolled * b.rowStride);
      });
      for (let place = 0; place < k % unrolled; place++) step(place);
      sums.forEach((row, i) => {
        row.forEach((sum, j) => {
          const offset = c.address + i * c.rowStride + j * lanes * c.columnStride;
          f.store(cAt, offset, sum, vectors[j] ?? lanes);
        });
      });
    });
  });
}

/** What a sum begins with, in a local of its own. */
function beginSum(
  f: FunctionBuilder,
  d: Matrix | undefined,
  at: Local,
  { i, j }: { readonly i: number; readonly j: number },
): Local {
  const sum = f.local('v128');
  const offset = d === undefined ? 0 : d.address + i * d.rowStride + j * lanes * d.columnStride;
  const begin =
    d === undefined
      ? f.constant(0)
      : d.columnStride === 0
        ? f.loadSplat(at, offset)
        : f.load(at, offset);
  f.assign(sum, 'v128.or', begin, begin);
  return sum;
}

/**
 * The same where A and B lie along k: four sums a lane for each element, which are added up in the
 * end.
 */
function emitDots(f: FunctionBuilder, { m, n, k, a, b, c, d }: Product): void {
  const [aRow, cRow, dRow] = [f.local('i32'), f.local('i32'), f.local('i32')];
  const [bColumn, cColumn, dColumn] = [f.local('i32'), f.local('i32'), f.local('i32')];
  const [aAt, bAt, cAt, dAt] = [f.local('i32'), f.local('i32'), f.local('i32'), f.local('i32')];
  const columns = [
    { local: bColumn, stride: b.columnStride },
    { local: cColumn, stride: c.columnStride },
    { local: dColumn, stride: d?.columnStride ?? 0 },
  ];
  const rows = [
    { local: aRow, stride: a.rowStride },
    { local: cRow, stride: c.rowStride },
    { local: dRow, stride: d?.rowStride ?? 0 },
  ];
  inBlocks(f, { count: n, size: lanes, strides: columns }, (width) => {
    inBlocks(f, { count: m, size: sumsAtOnce / lanes, strides: rows }, (height) => {
      f.multiply(aAt, aRow, 1);
      f.multiply(bAt, bColumn, 1);
      const sums = Array.from({ length: height }, () =>
        Array.from({ length: width }, () => beginSum(f, undefined, aAt, { i: 0, j: 0 })),
      );
      const step = (count: number) => {
        const part = (value: Local) =>
          count === lanes ? value : f.vector('v128.and', value, firstLanes(f, count));
        const right = Array.from({ length: width }, (_, j) =>
          part(f.load(bAt, b.address + j * b.columnStride)),
        );
        sums.forEach((row, i) => {
          const left = part(f.load(aAt, a.address + i * a.rowStride));
          row.forEach((sum, j) => {
            f.addProduct(sum, left, right[j] ?? left);
          });
        });
      };
      f.repeat(Math.floor(k / lanes), () => {
        step(lanes);
        f.add(aAt, lanes * elementBytes);
        f.add(bAt, lanes * elementBytes);
      });
      if (k % lanes > 0) step(k % lanes);
      f.assign(cAt, 'i32.add', cRow, cColumn);
      f.assign(dAt, 'i32.add', dRow, dColumn);
      sums.forEach((row, i) => {
        const total = addAcross(f, row);
        const sum =
          d === undefined ? total : f.vector('f32x4.add', total, beginSum(f, d, dAt, { i, j: 0 }));
        f.store(cAt, c.address + i * c.rowStride, sum, width);
      });
    });
  });
}
