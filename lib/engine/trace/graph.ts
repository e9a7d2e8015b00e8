/**
 * A graph of ONNX operators as plain data: what tracing makes, rewrites change, and `encode.ts`
 * writes. Every value has one producer (an input, a constant or a node) and a static shape; nodes
 * are in an order of execution.
 */
export type Graph = {
  readonly inputs: readonly Value[];
  readonly constants: ReadonlyMap<string, Constant>;
  readonly nodes: readonly Node[];
  /** The name of each output, and the value that it is. */
  readonly outputs: ReadonlyMap<string, Value>;
};

/** The element types in use; float64 and texts only where a model is exported. */
export type ElementType = 'float32' | 'float64' | 'int32' | 'int64' | 'bool' | 'string';

/** A value by its name; a dimension of −1 is known only at run time. */
export type Value = {
  readonly name: string;
  readonly type: ElementType;
  readonly shape: readonly number[];
};

/** A value that is known when the graph is made. Booleans are 0 or 1, int64 are safe integers. */
export type Constant = Value & { readonly data: Float32Array | Float64Array | Int32Array };

/** An attribute: an integer, integers, `{ float }`, a text, `{ texts }`, or a graph. */
export type Attribute =
  | number
  | readonly number[]
  | { readonly float: number }
  | string
  | { readonly texts: readonly string[] }
  | Graph;

/** Operators beside ONNX' own: those of ONNX Runtime, and those of classic machine learning. */
export type Domain = 'com.microsoft' | 'ai.onnx.ml';

/**
 * One operator: https://onnx.ai/onnx/operators/ (or others, where `domain` says so).
 */
export type Node = {
  readonly op: string;
  readonly domain?: Domain;
  /** Names of values; an optional input that is left out is empty. */
  readonly inputs: readonly string[];
  readonly outputs: readonly Value[];
  readonly attributes: Readonly<Record<string, Attribute>>;
};

/** The number of elements of a shape. */
export function sizeOf(shape: readonly number[]): number {
  return shape.reduce((product, dimension) => product * dimension, 1);
}

/** Whether two shapes are the same. */
export function isSameShape(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((dimension, i) => dimension === b[i]);
}

/** The graph with values replaced by others, wherever they are used. */
export function replaceValues(graph: Graph, replacements: ReadonlyMap<string, Value>): Graph {
  if (replacements.size === 0) return graph;
  const find = (name: string): Value | undefined => {
    let found = replacements.get(name);
    while (found !== undefined && replacements.has(found.name))
      found = replacements.get(found.name);
    return found;
  };
  return {
    ...graph,
    nodes: graph.nodes.map((node) => ({
      ...node,
      inputs: node.inputs.map((name) => find(name)?.name ?? name),
    })),
    outputs: new Map([...graph.outputs].map(([name, value]) => [name, find(value.name) ?? value])),
  };
}

/** How often each value is used, by nodes and as an output. */
export function countUses({ nodes, outputs }: Graph): ReadonlyMap<string, number> {
  const uses = new Map<string, number>();
  const use = (name: string) => uses.set(name, (uses.get(name) ?? 0) + 1);
  for (const { inputs } of nodes) inputs.forEach(use);
  for (const { name } of outputs.values()) use(name);
  return uses;
}

/** The node that makes each value. */
export function producers({ nodes }: Graph): ReadonlyMap<string, Node> {
  return new Map(nodes.flatMap((node) => node.outputs.map(({ name }) => [name, node] as const)));
}

/** Every value of a graph by its name. */
export function valuesOf(graph: Graph): ReadonlyMap<string, Value> {
  const values = [
    ...graph.inputs,
    ...graph.constants.values(),
    ...graph.nodes.flatMap(({ outputs }) => outputs),
  ];
  return new Map(values.map((value) => [value.name, value]));
}
