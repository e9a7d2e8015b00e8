import type { FunctionBuilder } from '../../wasm/assembler.ts';
import { elementBytes, lanes } from '../../wasm/instructions.ts';
import type { Local } from '../../wasm/integer-code.ts';

/**
 * What a loop reads or writes: the address of its first element, and how many bytes it goes on
 * along each dimension of the loop; 0 where it is broadcast.
 */
export type Operand = {
  readonly address: number;
  readonly strides: readonly number[];
  /** Bytes that are added to the address, where they are known only at run time. */
  readonly origin?: Local | undefined;
};

/** A loop over all elements of a shape. */
export type Loop = {
  readonly shape: readonly number[];
  readonly inputs: readonly Operand[];
  readonly outputs: readonly Operand[];
};

/** What is computed of four elements of each input; of the last ones, only `count` are used. */
export type Compute = (values: readonly Local[], count: number) => readonly Local[];

/** Emits nested loops whose innermost dimension is computed four elements at a time. */
export function forEach(f: FunctionBuilder, loop: Loop, compute: Compute): void {
  const { shape, inputs, outputs } = collapse(loop);
  const walk = createWalk(f, [...inputs, ...outputs]);
  const inner = shape.length - 1;
  const strideOf = ({ strides }: Operand) => strides[inner] ?? 0;
  const visit = (level: number): void => {
    if (level < inner) {
      f.repeat(shape[level] ?? 1, () => {
        visit(level + 1);
        walk.advance((strides) => (strides[level] ?? 0) - walked(shape, strides, level + 1));
      });
      return;
    }
    const size = shape[inner] ?? 1;
    const fixed = inputs.map((input) =>
      strideOf(input) === 0 ? f.loadSplat(walk.at(input), input.address) : undefined,
    );
    const body = (count: number) => {
      const values = inputs.map(
        (input, i) => fixed[i] ?? loadLanes(f, walk.at(input), input, { dimension: inner, count }),
      );
      const results = compute(values, count);
      outputs.forEach((output, i) => {
        const result = results[i];
        if (result !== undefined) storeLanes(f, walk.at(output), output, { result, count, inner });
      });
    };
    f.repeat(Math.floor(size / lanes), () => {
      body(lanes);
      walk.advance((strides) => (strides[inner] ?? 0) * lanes);
    });
    if (size % lanes > 0) body(size % lanes);
  };
  visit(0);
}

/** Emits a copy of elements from one place to another. */
export function copyElements(
  f: FunctionBuilder,
  shape: readonly number[],
  { from, to }: { readonly from: Operand; readonly to: Operand },
): void {
  forEach(f, { shape, inputs: [from], outputs: [to] }, (values) => values);
}

/** Emits so many elements of one value, which lie one after another. */
export function fillElements(
  f: FunctionBuilder,
  { address, count, value }: { readonly address: number; readonly count: number; value: number },
): void {
  const outputs = [{ address, strides: [elementBytes] }];
  forEach(f, { shape: [count], inputs: [], outputs }, () => [f.constant(value)]);
}

/** Loads the elements of an operand along a dimension that it is not broadcast over. */
function loadLanes(
  f: FunctionBuilder,
  at: Local | undefined,
  { address, strides }: Operand,
  { dimension, count }: { readonly dimension: number; readonly count: number },
): Local {
  const stride = strides[dimension] ?? 0;
  return stride === elementBytes
    ? f.load(at, address)
    : f.loadStrided(at, address, { stride, count });
}

/** Stores elements of an operand along a dimension. */
function storeLanes(
  f: FunctionBuilder,
  at: Local | undefined,
  { address, strides }: Operand,
  {
    result,
    count,
    inner,
  }: { readonly result: Local; readonly count: number; readonly inner: number },
): void {
  const stride = strides[inner] ?? 0;
  if (stride === elementBytes || count === 1) f.store(at, address, result, count);
  else f.storeStrided(at, address, result, { stride, count });
}

/** How far the loops from `level` on have gone when they end. */
function walked(shape: readonly number[], strides: readonly number[], level: number): number {
  const [size = 1, stride = 0] = [shape[level], strides[level]];
  return level === shape.length - 1 ? Math.floor(size / lanes) * lanes * stride : size * stride;
}

/** Where the operands of a loop are: one local for all that go the same way. */
export type Walk = {
  /** The local to add to an operand's address; undefined where it never moves. */
  readonly at: (operand: Operand) => Local | undefined;
  /** Moves all operands by what their strides say. */
  readonly advance: (by: (strides: readonly number[]) => number) => void;
};

/** A dimension of a walk, and how often it goes on along it. */
export type Dimension = readonly [dimension: number, size: number];

/** Emits nested loops over some dimensions, in their order; each ends where it began. */
export function overDimensions(
  f: FunctionBuilder,
  walk: Walk,
  [first, ...others]: readonly Dimension[],
  body: () => void,
): void {
  if (first === undefined) {
    body();
    return;
  }
  const [dimension, size] = first;
  f.repeat(size, () => {
    overDimensions(f, walk, others, body);
    walk.advance((strides) => strides[dimension] ?? 0);
  });
  walk.advance((strides) => -size * (strides[dimension] ?? 0));
}

/** Begins a walk. */
export function createWalk(f: FunctionBuilder, operands: readonly Operand[]): Walk {
  const wayOf = ({ strides, origin }: Operand) => `${strides.join()}@${origin ?? ''}`;
  const ways = new Map<string, { readonly strides: readonly number[]; readonly local: Local }>();
  for (const operand of operands) {
    const isFixed = operand.strides.every((stride) => stride === 0);
    if (ways.has(wayOf(operand)) || (isFixed && operand.origin === undefined)) continue;
    const local = f.local('i32');
    if (operand.origin === undefined) f.setInteger(local, 0);
    else f.multiply(local, operand.origin, 1);
    ways.set(wayOf(operand), { strides: operand.strides, local });
  }
  return {
    at: (operand) => ways.get(wayOf(operand))?.local,
    advance(by) {
      for (const { strides, local } of ways.values()) f.add(local, by(strides));
    },
  };
}

/** The loop with as few dimensions as its operands allow; there is one at least. */
export function collapse(loop: Loop): Loop {
  const operands = [...loop.inputs, ...loop.outputs];
  const dimensions: { size: number; strides: readonly number[] }[] = [];
  loop.shape.forEach((size, i) => {
    if (size === 1) return;
    const strides = operands.map((operand) => operand.strides[i] ?? 0);
    const last = dimensions.at(-1);
    const isGoingOn = last?.strides.every((stride, j) => stride === (strides[j] ?? 0) * size);
    if (last === undefined || isGoingOn !== true) dimensions.push({ size, strides });
    else dimensions.splice(-1, 1, { size: last.size * size, strides });
  });
  if (dimensions.length === 0) dimensions.push({ size: 1, strides: operands.map(() => 0) });
  const collapsed = operands.map((operand, j) => ({
    ...operand,
    strides: dimensions.map(({ strides }) => strides[j] ?? 0),
  }));
  return {
    shape: dimensions.map(({ size }) => size),
    inputs: collapsed.slice(0, loop.inputs.length),
    outputs: collapsed.slice(loop.inputs.length),
  };
}

/** Bytes from one element to the next along each dimension of a value that lies in one piece. */
export function stridesOf(shape: readonly number[]): number[] {
  let bytes = elementBytes;
  return shape
    .toReversed()
    .map((size) => {
      const stride = bytes;
      bytes *= size;
      return stride;
    })
    .reverse();
}
