import { type Constant, type Node, sizeOf, type Value } from '../trace/graph.ts';

/** Operators that work element by element, on a stack of steps as on one of them. */
const elementwise = new Set([
  'Abs',
  'Add',
  'Cast',
  'Clip',
  'Div',
  'Exp',
  'Log',
  'Max',
  'Min',
  'Mul',
  'Neg',
  'Relu',
  'Sigmoid',
  'Sign',
  'Softplus',
  'Sqrt',
  'Sub',
]);
/** Operators over the last axis alone. */
const overLastAxis = new Set(['LogSoftmax', 'OneHot', 'Softmax']);
const reductions = new Set(['ReduceMax', 'ReduceMean', 'ReduceSum']);

/** A node that does at once for all steps what the node of a step does, and what it needs. */
export type Stacked = { readonly nodes: readonly Node[]; readonly constants: readonly Constant[] };

/** What is known of the values that a node takes. */
export type Surroundings = {
  /** The value if it differs from step to step, in the shape that a step has it. */
  readonly perStep: (name: string) => Value | undefined;
  readonly fixed: (name: string) => Value | undefined;
  readonly constants: ReadonlyMap<string, Constant>;
  /**
   * Elements of one step's value at most: more would fill memory with what is cheap to compute
   * again.
   */
  readonly elements: number;
};

/**
 * A node of a step as one over all steps: what differs from step to step has a leading dimension of
 * steps, in the node's inputs as in its outputs.
 *
 * @returns undefined where there is no such node, or its values for all steps would be too large
 */
export function stackNode(
  node: Node,
  { perStep, fixed, constants, elements }: Surroundings,
): Stacked | undefined {
  const [output] = node.outputs;
  const known = node.inputs.every(
    (name) => perStep(name) !== undefined || fixed(name) !== undefined,
  );
  const stacks = node.inputs.flatMap((name) => perStep(name) ?? []);
  if (output === undefined || !known || stacks.length === 0) return undefined;
  if ([output, ...stacks].some(({ shape }) => sizeOf(shape) > elements)) return undefined;
  const made: Value = { ...output, shape: [-1, ...output.shape] };
  const extra: { nodes: Node[]; constants: Constant[] } = { nodes: [], constants: [] };
  const integers = (name: string, values: readonly number[]) => {
    extra.constants.push({
      name,
      type: 'int64',
      shape: [values.length],
      data: Int32Array.from(values),
    });
    return name;
  };
  const [first = '', second = ''] = node.inputs;
  const rank = output.shape.length;
  if (elementwise.has(node.op)) {
    // What is broadcast must not meet the steps' dimension: it gets dimensions of 1 behind it.
    const inputs = node.inputs.map((name, i) => {
      const value = perStep(name);
      if (value === undefined || value.shape.length === rank) return name;
      const shape = [
        -1,
        ...Array.from({ length: rank - value.shape.length }, () => 1),
        ...value.shape,
      ];
      const wide: Value = { ...value, name: `${output.name}/wide/${i}`, shape };
      const target = integers(`${wide.name}/shape`, shape);
      extra.nodes.push({ op: 'Reshape', inputs: [name, target], outputs: [wide], attributes: {} });
      return wide.name;
    });
    if (node.inputs.some((name) => (fixed(name)?.shape.length ?? 0) > rank)) return undefined;
    return { ...extra, nodes: [...extra.nodes, { ...node, inputs, outputs: [made] }] };
  }
  const isFirstAlone =
    perStep(first) !== undefined && node.inputs.slice(1).every((name) => fixed(name) !== undefined);
  if (!isFirstAlone) return undefined;
  if (overLastAxis.has(node.op) && node.attributes.axis === -1) {
    return { ...extra, nodes: [{ ...node, outputs: [made] }] };
  }
  if (node.op === 'Reshape') {
    const target = integers(`${output.name}/stacked`, made.shape);
    return { ...extra, nodes: [{ ...node, inputs: [first, target], outputs: [made] }] };
  }
  const axes = constants.get(second);
  if (reductions.has(node.op) && axes !== undefined) {
    const shifted = integers(
      `${output.name}/axes`,
      [...axes.data].map((axis) => (axis < 0 ? axis : axis + 1)),
    );
    return { ...extra, nodes: [{ ...node, inputs: [first, shifted], outputs: [made] }] };
  }
  return undefined;
}
