import type { FunctionBuilder } from '../../wasm/assembler.ts';
import { elementBytes, lanes } from '../../wasm/instructions.ts';
import { type Node, sizeOf } from '../trace/graph.ts';
import { emitContraction, type Index } from './contractions.ts';
import {
  copyElements,
  createWalk,
  fillElements,
  type Operand,
  overDimensions,
  stridesOf,
} from './loops.ts';
import { unfoldedStrides } from './moves.ts';
import type { Reference } from './references.ts';

/** An operand: what it refers to, and the address of its first element. */
export type Placed = Pick<Reference, 'shape' | 'strides'> & { readonly address: number };

/** A value as a whole. */
function placed(address: number, shape: readonly number[]): Placed {
  return { address, shape, strides: stridesOf(shape) };
}

/** Emits a sum of products of two operands. */
export function emitEinsum(
  f: FunctionBuilder,
  node: Node,
  { a, b, to }: { readonly a: Placed; readonly b: Placed; readonly to: number },
): void {
  const c = placed(to, node.outputs[0]?.shape ?? []);
  const indices = indicesOf(node, { a, b, c });
  emitContraction(f, { a: a.address, b: b.address, c: to, indices, adds: false });
}

/**
 * Emits the sum of products that lie in windows over images, one over the other: the transpose of
 * unfolding.
 */
export function emitFold(
  f: FunctionBuilder,
  node: Node,
  { a, b, to }: { readonly a: Placed; readonly b: Placed; readonly to: number },
): void {
  const shape = node.outputs[0]?.shape ?? [];
  fillElements(f, { address: to, count: sizeOf(shape), value: 0 });
  const strides = unfoldedStrides(stridesOf(shape), node.attributes);
  const groups = Number(node.attributes.groups ?? 1);
  // The last dimension is that of groups and their channels.
  if (groups > 1)
    strides.splice(-1, 1, ((shape.at(-1) ?? 1) / groups) * elementBytes, elementBytes);
  const indices = indicesOf(node, { a, b, c: { address: to, shape: [], strides } });
  emitContraction(f, { a: a.address, b: b.address, c: to, indices, adds: true });
}

/** The indices of an equation such as `ik,kj->ij`, those that are summed from their slowest on. */
function indicesOf(
  { attributes }: Node,
  { a, b, c }: { readonly a: Placed; readonly b: Placed; readonly c: Placed },
): Index[] {
  const [left = '', right = '', result = ''] = String(attributes.equation).split(/,|->/);
  const names = [...new Set([...result, ...left, ...right])];
  const along = (letters: string, { strides }: Placed, name: string) =>
    strides[letters.indexOf(name)] ?? 0;
  const sizeAlong = (name: string) =>
    a.shape[left.indexOf(name)] ?? b.shape[right.indexOf(name)] ?? 1;
  const indices = names.map((name) => ({
    size: sizeAlong(name),
    a: along(left, a, name),
    b: along(right, b, name),
    c: result.includes(name) ? along(result, c, name) : undefined,
  }));
  return [
    ...indices.slice(0, result.length),
    ...indices.slice(result.length).toSorted((x, y) => y.a - x.a),
  ];
}

/** What lies within a border. */
export type Padding = {
  readonly x: Placed;
  readonly to: number;
  readonly shape: readonly number[];
  /** Elements of the border before each dimension. */
  readonly before: readonly number[];
  readonly value: number;
};

/** Emits a value with a border. */
export function emitPad(f: FunctionBuilder, { x, to, shape, before, value }: Padding): void {
  fillElements(f, { address: to, count: sizeOf(shape), value });
  const strides = stridesOf(shape);
  const address = strides.reduce((sum, stride, i) => sum + stride * (before[i] ?? 0), to);
  copyElements(f, x.shape, { from: x, to: { address, strides } });
}

/** What gradients of maxima are made of; all lie in one piece, with channels last. */
export type MaxPoolGrad = {
  /** Images, and where their gradient is added up: [count, height, width, channels]. */
  readonly x: Placed;
  readonly to: number;
  /** The largest of each window, and its gradient: [count, rows, columns, channels]. */
  readonly largest: Placed;
  readonly dy: Placed;
};

/**
 * Emits the gradient of the largest of each window, which goes to the first of its pixels that has
 * that value.
 */
export function emitMaxPoolGrad(f: FunctionBuilder, node: Node, parts: MaxPoolGrad): void {
  const { x, to, largest, dy } = parts;
  fillElements(f, { address: to, count: sizeOf(x.shape), value: 0 });
  const kernel = node.attributes.kernel_shape as readonly number[];
  const [count = 1, rows = 1, columns = 1, channels = 1] = largest.shape;
  const images: Operand = {
    address: x.address,
    strides: unfoldedStrides(x.strides, node.attributes),
  };
  const [byCount = 0, byRow = 0, byColumn = 0, byChannel = 0] = largest.strides;
  const windows: Operand = {
    address: largest.address,
    strides: [byCount, byRow, byColumn, 0, 0, byChannel],
  };
  const walk = createWalk(f, [images, windows]);
  const block = (width: number) => {
    const most = f.load(walk.at(windows), largest.address);
    const gradient = f.load(walk.at(windows), dy.address);
    const isFound = f.local('v128');
    f.assign(isFound, 'v128.xor', isFound, isFound);
    overDimensions(
      f,
      walk,
      [...kernel.entries()].map(([i, size]) => [3 + i, size] as const),
      () => {
        const isMost = f.vector('f32x4.eq', f.load(walk.at(images), x.address), most);
        const isFirst = f.vector('v128.andnot', isMost, isFound);
        const share = f.vector('v128.and', gradient, isFirst);
        const before = f.load(walk.at(images), to);
        f.store(walk.at(images), to, f.vector('f32x4.add', before, share), width);
        f.assign(isFound, 'v128.or', isFound, isMost);
      },
    );
  };
  const blocks = Math.floor(channels / lanes);
  overDimensions(
    f,
    walk,
    [count, rows, columns].map((size, i) => [i, size] as const),
    () => {
      f.repeat(blocks, () => {
        block(lanes);
        walk.advance((strides) => lanes * (strides[5] ?? 0));
      });
      if (channels % lanes > 0) block(channels % lanes);
      walk.advance((strides) => -blocks * lanes * (strides[5] ?? 0));
    },
  );
}
