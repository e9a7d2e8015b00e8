import { type Graph, isSameShape, type Node, sizeOf, valuesOf } from '../trace/graph.ts';
import { UntraceableError } from '../trace/untraceable.ts';
import { elementBytes } from './instructions.ts';
import { stridesOf } from './loops.ts';

/** A value as a part of one that lies in memory; strides and offset are in bytes. */
export type Reference = {
  readonly base: string;
  readonly shape: readonly number[];
  readonly offset: number;
  readonly strides: readonly number[];
};

/** Whether the elements of a reference lie one after another. */
export function isContiguous({ shape, strides }: Reference): boolean {
  const own = stridesOf(shape);
  return shape.every((size, i) => size === 1 || strides[i] === own[i]);
}

/** Whether a reference is the whole of a value in the shape that it has. */
export function isWhole(reference: Reference, shape: readonly number[]): boolean {
  return reference.offset === 0 && isSameShape(reference.shape, shape) && isContiguous(reference);
}

/** A graph whose nodes compute something, and what each of its values refers to. */
export type Resolved = {
  readonly nodes: readonly Node[];
  readonly of: (name: string) => Reference;
};

/** A value that lies in memory as itself. */
function itself(base: string, shape: readonly number[]): Reference {
  return { base, shape, offset: 0, strides: stridesOf(shape) };
}

/** Operators whose inputs may lie in memory in any way. */
type IsAnywhere = (node: Node) => boolean;

/**
 * Takes the operators that only move elements out of a graph: reshapes, transpositions, slices and
 * splits become references to where the elements lie already. Where an operator needs them in one
 * piece, they are copied first.
 */
export function resolveReferences(graph: Graph, isAnywhere: IsAnywhere): Resolved {
  const references = new Map<string, Reference>();
  const values = valuesOf(graph);
  for (const { name, shape } of [...graph.inputs, ...graph.constants.values()])
    references.set(name, itself(name, shape));
  const nodes: Node[] = [];
  const of = (name: string): Reference => {
    const reference = references.get(name);
    if (reference === undefined)
      throw new UntraceableError(`a value ${name} is used before it is made`);
    return reference;
  };
  /** The name of a value that lies in one piece. */
  const inOnePiece = (name: string): string => {
    const reference = of(name);
    if (isContiguous(reference)) return name;
    const copy = `${name}_copy`;
    if (!references.has(copy)) {
      const { type = 'float32' } = values.get(name) ?? {};
      const output = { name: copy, type, shape: reference.shape };
      nodes.push({ op: 'Identity', inputs: [name], outputs: [output], attributes: {} });
      references.set(copy, itself(copy, reference.shape));
    }
    return copy;
  };
  for (const node of graph.nodes) {
    const moved = moves[node.op]?.(node, {
      graph,
      of,
      inOnePiece: (name) => of(inOnePiece(name)),
    });
    if (moved !== undefined) {
      node.outputs.forEach(({ name }, i) => {
        const reference = moved[i];
        if (reference !== undefined) references.set(name, reference);
      });
      continue;
    }
    const inputs = isAnywhere(node)
      ? node.inputs
      : node.inputs.map((name) => name && inOnePiece(name));
    nodes.push({ ...node, inputs });
    for (const { name, shape } of node.outputs) references.set(name, itself(name, shape));
  }
  return { nodes, of };
}

type Surroundings = {
  readonly graph: Graph;
  readonly of: (name: string) => Reference;
  readonly inOnePiece: (name: string) => Reference;
};

/** What the outputs of an operator refer to, where it only moves elements. */
type Move = (node: Node, surroundings: Surroundings) => readonly Reference[] | undefined;

function integersOf({ constants }: Graph, name: string | undefined): readonly number[] {
  const data = constants.get(name ?? '')?.data;
  if (data === undefined) throw new UntraceableError('a shape is known only at run time');
  return [...data];
}

const moves: Readonly<Record<string, Move>> = {
  Reshape(node, { inOnePiece }) {
    const reference = inOnePiece(node.inputs[0] ?? '');
    const shape = node.outputs[0]?.shape ?? [];
    return [{ ...reference, shape, strides: stridesOf(shape) }];
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
};

/**
 * How far a reference goes on along the dimensions of a loop that it is broadcast over, as NumPy
 * does.
 */
export function broadcastStrides(
  { shape, strides }: Pick<Reference, 'shape' | 'strides'>,
  domain: readonly number[],
): number[] {
  const missing = domain.length - shape.length;
  return domain.map((size, i) => {
    const own = shape[i - missing];
    return own === undefined || (own === 1 && size !== 1) ? 0 : (strides[i - missing] ?? 0);
  });
}

/** Bytes of a value. */
export function bytesOfShape(shape: readonly number[]): number {
  return sizeOf(shape) * elementBytes;
}
