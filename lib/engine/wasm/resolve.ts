import { type Graph, type Node, valuesOf } from '../trace/graph.ts';
import { UntraceableError } from '../trace/untraceable.ts';
import { stridesOf } from './loops.ts';
import { moves } from './moves.ts';
import { isContiguous, type Reference } from './references.ts';

/** A graph whose nodes compute something, and what each of its values refers to. */
export type Resolved = {
  readonly nodes: readonly Node[];
  readonly of: (name: string) => Reference;
};

/** A value that lies in memory as itself. */
function itself(base: string, shape: readonly number[]): Reference {
  return { base, shape, offset: 0, strides: stridesOf(shape) };
}

/** Operators whose inputs may lie in memory as they do. */
type IsAnywhere = (node: Node, of: Resolved['of']) => boolean;

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
    const inputs = isAnywhere(node, of)
      ? node.inputs
      : node.inputs.map((name) => name && inOnePiece(name));
    nodes.push({ ...node, inputs });
    for (const { name, shape } of node.outputs) references.set(name, itself(name, shape));
  }
  return { nodes, of };
}
