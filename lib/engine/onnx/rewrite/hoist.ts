import { type Constant, type Graph, type Node, sizeOf, type Value, valuesOf } from '../graph.ts';

/** A step, and what of it is done before the first step, for all steps at once. */
export type Hoisted = {
  readonly step: Graph;
  /** Nodes that depend on nothing that changes from step to step. */
  readonly invariant: readonly Node[];
  /** Nodes over what differs from step to step but is known before: their values get a leading dimension of steps. */
  readonly stacked: readonly Node[];
  /** Constants of the hoisted nodes; the step sees them from outside. */
  readonly constants: ReadonlyMap<string, Constant>;
};

/** Operators that work on a stack of steps as on one of them. */
const stackable = new Set(['Abs', 'Add', 'Cast', 'Div', 'Mul', 'Neg', 'OneHot', 'Sign', 'Sqrt', 'Sub']);

/** Elements of a stacked value for each row: more would fill memory with what is cheap to compute again. */
const elementsPerRow = 64;

/**
 * Takes out of a step what does not depend on the state.
 *
 * @param scanned inputs that differ from step to step
 * @param carried inputs that a step changes
 */
export function hoist(step: Graph, scanned: ReadonlySet<string>, carried: ReadonlySet<string>): Hoisted {
  const fixed = new Set<string>(step.constants.keys());
  for (const { name } of step.inputs) if (!scanned.has(name) && !carried.has(name)) fixed.add(name);
  const perStep = new Map<string, Value>(
    step.inputs.flatMap((input) => (scanned.has(input.name) ? [[input.name, input] as const] : [])),
  );
  const values = valuesOf(step);
  const rankOf = (name: string) => values.get(name)?.shape.length ?? 0;
  const outputs = new Set([...step.outputs.values()].map(({ name }) => name));
  const [invariant, stacked, rest]: [Node[], Node[], Node[]] = [[], [], []];
  for (const node of step.nodes) {
    const isOutput = node.outputs.some(({ name }) => outputs.has(name));
    if (!isOutput && node.inputs.every((name) => fixed.has(name))) {
      invariant.push(node);
      for (const { name } of node.outputs) fixed.add(name);
    } else if (!isOutput && isStackable(node, fixed, perStep, rankOf)) {
      stacked.push(node);
      for (const output of node.outputs) perStep.set(output.name, output);
    } else rest.push(node);
  }
  const used = new Set(rest.flatMap(({ inputs }) => inputs));
  const made = stacked.flatMap((node) => node.outputs.filter(({ name }) => used.has(name)));
  const outside = new Set([...invariant, ...stacked].flatMap(({ inputs }) => inputs));
  const split = (isOutside: boolean) =>
    new Map([...step.constants].filter(([name]) => outside.has(name) === isOutside));
  return {
    step: { ...step, inputs: [...step.inputs, ...made], nodes: rest, constants: split(false) },
    invariant,
    stacked,
    constants: split(true),
  };
}

function isStackable(
  { op, inputs, outputs }: Node,
  fixed: ReadonlySet<string>,
  perStep: ReadonlyMap<string, Value>,
  rankOf: (name: string) => number,
): boolean {
  const [output] = outputs;
  const [rows = 1] = output?.shape ?? [];
  if (!stackable.has(op) || output === undefined || sizeOf(output.shape) > elementsPerRow * rows)
    return false;
  const stacks = inputs.flatMap((name) => perStep.get(name) ?? []);
  if (stacks.length === 0) return false;
  const rank = stacks[0]?.shape.length ?? 0;
  const isOfOneRank = stacks.every(({ shape }) => shape.length === rank);
  const others = inputs.filter((name) => !perStep.has(name));
  if (!isOfOneRank || !others.every((name) => fixed.has(name))) return false;
  // A dimension is added by OneHot alone; what is broadcast must not add one, or it would meet the steps'.
  return op === 'OneHot' || (output.shape.length === rank && others.every((name) => rankOf(name) <= rank));
}
