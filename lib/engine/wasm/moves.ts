import { elementBytes } from '../../wasm/instructions.ts';
import type { Graph, Node } from '../trace/graph.ts';
import { UntraceableError } from '../trace/untraceable.ts';
import { stridesOf } from './loops.ts';
import { isContiguous, type Reference } from './references.ts';

/** What a move must know of the graph around it. */
export type Surroundings = {
  readonly graph: Graph;
  readonly of: (name: string) => Reference;
  readonly inOnePiece: (name: string) => Reference;
};

/** What the outputs of an operator refer to, where it only moves elements. */
type Move = (node: Node, surroundings: Surroundings) => readonly Reference[] | undefined;

/** A shape, or something like it, that a node takes as an input. */
export function integersOf({ constants }: Graph, name: string | undefined): readonly number[] {
  const data = constants.get(name ?? '')?.data;
  if (data === undefined) throw new UntraceableError('a shape is known only at run time');
  return [...data];
}

/** The operators that only move elements. */
export const moves: Readonly<Record<string, Move>> = {
  Reshape(node, { of, inOnePiece }) {
    const [x = ''] = node.inputs;
    const shape = node.outputs[0]?.shape ?? [];
    const strides = reshapedStrides(of(x), shape);
    if (strides !== undefined) return [{ ...of(x), shape, strides }];
    return [{ ...inOnePiece(x), shape, strides: stridesOf(shape) }];
  },
  Transpose({ inputs, attributes }, { of }) {
    const reference = of(inputs[0] ?? '');
    const perm = attributes.perm as readonly number[];
    return [
      {
        ...reference,
        shape: perm.map((axis) => reference.shape[axis] ?? 1),
        strides: perm.map((axis) => reference.strides[axis] ?? 0),
      },
    ];
  },
  Tile({ inputs, outputs }, { of }) {
    const reference = of(inputs[0] ?? '');
    const shape = outputs[0]?.shape ?? [];
    const isRepeated = (size: number, i: number) => size !== reference.shape[i];
    const strides = reference.strides.map((stride, i) =>
      isRepeated(shape[i] ?? 1, i) ? 0 : stride,
    );
    // Other repetitions than those of one element have no stride.
    const isBroadcast = shape.every((size, i) => !isRepeated(size, i) || reference.shape[i] === 1);
    return isBroadcast ? [{ ...reference, shape, strides }] : undefined;
  },
  Split({ inputs, outputs, attributes }, { of }) {
    const reference = of(inputs[0] ?? '');
    const axis = Number(attributes.axis ?? 0);
    let offset = reference.offset;
    return outputs.map(({ shape }) => {
      const part = { ...reference, shape, offset };
      offset += (shape[axis] ?? 0) * (reference.strides[axis] ?? 0);
      return part;
    });
  },
  Slice({ inputs, outputs }, { graph, of }) {
    const reference = of(inputs[0] ?? '');
    const [starts, , axes, steps] = [1, 2, 3, 4].map((i) =>
      inputs[i] === undefined ? undefined : integersOf(graph, inputs[i]),
    );
    const strides = [...reference.strides];
    let { offset } = reference;
    starts?.forEach((start, i) => {
      const axis = axes?.[i] ?? i;
      const size = reference.shape[axis] ?? 1;
      const stride = reference.strides[axis] ?? 0;
      const first = start < 0 ? start + size : start;
      offset += first * stride;
      strides[axis] = stride * (steps?.[i] ?? 1);
    });
    const shape = outputs[0]?.shape ?? [];
    // What lies in the other direction is read from its end, which only copies can.
    return strides.some((stride) => stride < 0)
      ? undefined
      : [{ ...reference, shape, offset, strides }];
  },
  Unfold({ inputs, outputs, attributes }, { of }) {
    const reference = of(inputs[0] ?? '');
    const strides = unfoldedStrides(reference.strides, attributes);
    return [{ ...reference, shape: outputs[0]?.shape ?? [], strides }];
  },
};

/**
 * How far windows go along [count, height, width, kernel height, kernel width, …] in images whose
 * strides are those of [count, height, width, …].
 */
export function unfoldedStrides(
  [count = 0, row = 0, column = 0, ...rest]: readonly number[],
  { strides, dilations }: Node['attributes'],
): number[] {
  const along = (sides: Node['attributes'][string] | undefined, stride: number, axis: 0 | 1) =>
    (Array.isArray(sides) ? Number(sides[axis]) : 1) * stride;
  return [
    count,
    along(strides, row, 0),
    along(strides, column, 1),
    along(dilations, row, 0),
    along(dilations, column, 1),
    ...rest,
  ];
}

/**
 * The strides of a reference in another shape of the same size; undefined where its elements lie so
 * that there are none. Dimensions can be split anywhere, and be one where they lie one after the
 * other.
 */
function reshapedStrides(reference: Reference, after: readonly number[]): number[] | undefined {
  const { shape: before, strides } = reference;
  if (isContiguous(reference)) return stridesOf(after);
  const left = before.flatMap((size, i) => (size === 1 ? [] : [{ size, stride: strides[i] ?? 0 }]));
  const found: number[] = [];
  // From the last dimension on: how many elements of `inner`, of which each is a stride away.
  let inner = { size: 1, stride: elementBytes };
  for (const size of after.toReversed()) {
    while (inner.size % size !== 0 || inner.size === 1) {
      if (size === 1) break;
      const outer = left.pop();
      if (outer === undefined) return undefined;
      const isGoingOn = inner.size === 1 || outer.stride === inner.stride * inner.size;
      if (!isGoingOn) return undefined;
      inner = {
        size: outer.size * inner.size,
        stride: inner.size === 1 ? outer.stride : inner.stride,
      };
    }
    found.unshift(inner.stride);
    inner = { size: inner.size / size, stride: inner.stride * size };
  }
  return found;
}
