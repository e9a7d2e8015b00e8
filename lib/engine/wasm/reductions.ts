import type { FunctionBuilder } from '../../wasm/assembler.ts';
import { type Instruction, lanes } from '../../wasm/instructions.ts';
import type { Local } from '../../wasm/integer-code.ts';
import { acrossAll, firstLanes } from './lanes.ts';
import { createWalk, type Operand, overDimensions, stridesOf } from './loops.ts';

/** How a reduction puts elements together, and what it begins with. */
export type Reducer = {
  readonly combine: Instruction;
  readonly begin: number;
  /** Whether the sum is divided by the number of elements. */
  readonly isMean?: boolean;
};

/** The reductions by their operator. */
export const reducers: Readonly<Record<string, Reducer>> = {
  ReduceSum: { combine: 'f32x4.add', begin: 0 },
  ReduceMean: { combine: 'f32x4.add', begin: 0, isMean: true },
  ReduceMax: { combine: 'f32x4.pmax', begin: Number.NEGATIVE_INFINITY },
  ReduceMin: { combine: 'f32x4.pmin', begin: Number.POSITIVE_INFINITY },
  ReduceProd: { combine: 'f32x4.mul', begin: 1 },
};

/** A value, the dimensions that are reduced, and where the result lies. */
export type Reduction = {
  readonly reducer: Reducer;
  readonly shape: readonly number[];
  /** In bytes; those along the last dimension lie one after another. */
  readonly strides: readonly number[];
  readonly axes: readonly number[];
  readonly from: number;
  readonly to: number;
};

/** Vectors of the last dimension that are reduced side by side, where it stays. */
const vectorsAtOnce = 4;

/** Emits a reduction. Elements are put together in the order of their dimensions. */
export function emitReduction(f: FunctionBuilder, reduction: Reduction): void {
  const { shape, strides, axes } = reduction;
  const last = shape.length - 1;
  const kept = shape.flatMap((_, i) => (axes.includes(i) ? [] : [i]));
  const reduced = shape.flatMap((_, i) => (axes.includes(i) ? [i] : []));
  const outputStrides = stridesOf(kept.map((i) => shape[i] ?? 1));
  const input: Operand = { address: reduction.from, strides };
  const output: Operand = {
    address: reduction.to,
    strides: shape.map((_, i) => outputStrides[kept.indexOf(i)] ?? 0),
  };
  const walk = createWalk(f, [input, output]);
  const count = reduced.reduce((product, i) => product * (shape[i] ?? 1), 1);
  const isAcross = axes.includes(last) || shape.length === 0;
  const loop = (dimensions: readonly number[], body: () => void) => {
    const sizes = dimensions.map((dimension) => [dimension, shape[dimension] ?? 1] as const);
    overDimensions(f, walk, sizes, body);
  };
  const parts = { f, reduction, walk, input, output, loop, count };
  if (isAcross) acrossLanes(parts, kept, reduced);
  else alongLanes(parts, kept, reduced);
}

type Parts = {
  readonly f: FunctionBuilder;
  readonly reduction: Reduction;
  readonly walk: ReturnType<typeof createWalk>;
  readonly input: Operand;
  readonly output: Operand;
  readonly loop: (dimensions: readonly number[], body: () => void) => void;
  /** Elements of which one is made. */
  readonly count: number;
};

/** The last dimension stays: each lane is a result of its own. */
function alongLanes(parts: Parts, kept: readonly number[], reduced: readonly number[]): void {
  const { f, reduction, walk, input, output, loop } = parts;
  const last = reduction.shape.length - 1;
  const size = reduction.shape[last] ?? 1;
  const block = (vectors: readonly number[]) => {
    const sums = vectors.map(() => begin(parts));
    loop(reduced, () => {
      sums.forEach((sum, i) => {
        const value = f.load(walk.at(input), input.address + i * lanes * 4);
        f.assign(sum, reduction.reducer.combine, sum, value);
      });
    });
    sums.forEach((sum, i) => {
      const result = finished(parts, sum);
      f.store(walk.at(output), output.address + i * lanes * 4, result, vectors[i] ?? lanes);
    });
    walk.advance(() => vectors.length * lanes * 4);
  };
  const whole = (count: number) => Array.from({ length: count }, () => lanes);
  const blocks = Math.floor(size / (vectorsAtOnce * lanes));
  const rest = size - blocks * vectorsAtOnce * lanes;
  const tail = [...whole(Math.floor(rest / lanes)), ...(rest % lanes > 0 ? [rest % lanes] : [])];
  loop(
    kept.filter((i) => i !== last),
    () => {
      f.repeat(blocks, () => block(whole(vectorsAtOnce)));
      if (tail.length > 0) block(tail);
      const done = (blocks * vectorsAtOnce + tail.length) * lanes * 4;
      walk.advance(() => -done);
    },
  );
}

/** The last dimension is reduced: four partial results, put together in the end. */
function acrossLanes(parts: Parts, kept: readonly number[], reduced: readonly number[]): void {
  const { f, reduction, walk, input, output, loop } = parts;
  const last = reduction.shape.length - 1;
  const size = reduction.shape[last] ?? 1;
  const { combine } = reduction.reducer;
  loop(kept, () => {
    const sum = begin(parts);
    loop(
      reduced.filter((i) => i !== last),
      () => {
        const vectors = Math.floor(size / lanes);
        f.repeat(vectors, () => {
          f.assign(sum, combine, sum, f.load(walk.at(input), input.address));
          walk.advance((strides) => (strides[last] ?? 0) * lanes);
        });
        if (size % lanes > 0) {
          const value = f.load(walk.at(input), input.address);
          const others = f.constant(reduction.reducer.begin);
          const mask = firstLanes(f, size % lanes);
          f.assign(sum, combine, sum, f.vector('v128.bitselect', value, others, mask));
        }
        walk.advance((strides) => -(strides[last] ?? 0) * lanes * vectors);
      },
    );
    const whole = acrossAll(f, sum, combine);
    f.store(walk.at(output), output.address, finished(parts, whole), 1);
  });
}

function begin({ f, reduction }: Parts): Local {
  const sum = f.local('v128');
  const value = f.constant(reduction.reducer.begin);
  f.assign(sum, 'v128.or', value, value);
  return sum;
}

function finished({ f, reduction, count }: Parts, sum: Local): Local {
  return reduction.reducer.isMean === true ? f.vector('f32x4.div', sum, f.constant(count)) : sum;
}
