import { type Constant, type Graph, type Node, type Value, valuesOf } from '../trace/graph.ts';
import { stackNode } from './stack.ts';

/** A step, and what of it is done before the first step, for all steps at once. */
export type Hoisted = {
  readonly step: Graph;
  /** Values that the step takes of what was hoisted, each with a leading dimension of steps. */
  readonly stacked: readonly Value[];
  /** Nodes that depend on nothing that changes from step to step, and nodes over all steps. */
  readonly nodes: readonly Node[];
  /** Constants of the hoisted nodes; the step sees them from outside. */
  readonly constants: ReadonlyMap<string, Constant>;
};

/**
 * Takes out of a step what does not depend on the state, so that it is done once.
 *
 * @param scanned inputs that differ from step to step
 * @param carried inputs that a step changes
 * @param elements of a step's value that may be kept for all steps
 */
export function hoist(
  step: Graph,
  scanned: ReadonlySet<string>,
  carried: ReadonlySet<string>,
  elements: number,
): Hoisted {
  const values = valuesOf(step);
  const fixed = new Set<string>(step.constants.keys());
  for (const { name } of step.inputs) if (!scanned.has(name) && !carried.has(name)) fixed.add(name);
  const perStep = new Map<string, Value>(
    step.inputs.flatMap((input) => (scanned.has(input.name) ? [[input.name, input] as const] : [])),
  );
  const surroundings = {
    perStep: (name: string) => perStep.get(name),
    fixed: (name: string) => (fixed.has(name) ? values.get(name) : undefined),
    constants: step.constants,
    elements,
  };
  const outputs = new Set([...step.outputs.values()].map(({ name }) => name));
  const [hoisted, rest]: [Node[], Node[]] = [[], []];
  const added: Constant[] = [];
  for (const node of step.nodes) {
    const isOutput = node.outputs.some(({ name }) => outputs.has(name));
    if (!isOutput && node.inputs.every((name) => fixed.has(name))) {
      hoisted.push(node);
      for (const { name } of node.outputs) fixed.add(name);
      continue;
    }
    const stacked = isOutput ? undefined : stackNode(node, surroundings);
    if (stacked === undefined) {
      rest.push(node);
      continue;
    }
    hoisted.push(...stacked.nodes);
    added.push(...stacked.constants);
    for (const output of node.outputs) perStep.set(output.name, output);
  }
  const used = new Set(rest.flatMap(({ inputs }) => inputs));
  const made = [...perStep.values()].filter(({ name }) => used.has(name) && !scanned.has(name));
  const outside = new Set(hoisted.flatMap(({ inputs }) => inputs));
  const split = (isOutside: boolean) =>
    [...step.constants].filter(([name]) => outside.has(name) === isOutside);
  return {
    step: {
      ...step,
      inputs: [...step.inputs, ...made],
      nodes: rest,
      constants: new Map(split(false)),
    },
    stacked: made,
    nodes: hoisted,
    constants: new Map([
      ...split(true),
      ...added.map((constant) => [constant.name, constant] as const),
    ]),
  };
}
