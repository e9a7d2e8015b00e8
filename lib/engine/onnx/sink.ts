import {
  type Constant,
  type Graph,
  type Node,
  sizeOf,
  type Value,
  valuesOf,
} from '../trace/graph.ts';
import { stackNode } from './stack.ts';

/** A step, and what of it is done after the last step, for all steps at once. */
export type Sunk = {
  readonly step: Graph;
  /**
   * Values of the step that are kept for each step, because later nodes or outputs of the run need
   * them.
   */
  readonly kept: readonly Value[];
  readonly nodes: readonly Node[];
  readonly constants: ReadonlyMap<string, Constant>;
};

/**
 * Takes out of a step what no state depends on, such as its loss, so that it is done once.
 *
 * @param scanned inputs that differ from step to step
 * @param carried inputs that a step changes; the step's outputs of the same names are their next
 *   values
 * @param elements of a step's value that may be kept for all steps
 */
export function sink(
  step: Graph,
  scanned: ReadonlySet<string>,
  carried: ReadonlySet<string>,
  elements: number,
): Sunk {
  const values = valuesOf(step);
  const changing = changingValues(step, scanned, carried);
  const results = [...step.outputs]
    .filter(([name]) => !carried.has(name))
    .map(([, value]) => value);
  const used = new Set(
    [...step.outputs].flatMap(([name, value]) => (carried.has(name) ? [value.name] : [])),
  );
  const surroundings = {
    perStep(name: string) {
      const value = values.get(name);
      // What only the weights decide is as large as they are.
      const isKept =
        changing.get(name) === 'with the samples' || (value && sizeOf(value.shape) === 1);
      return changing.has(name) && !carried.has(name) && isKept ? value : undefined;
    },
    fixed: (name: string) => (changing.has(name) ? undefined : values.get(name)),
    constants: step.constants,
    elements,
  };
  const [body, sunk]: [Node[], Node[]] = [[], []];
  const added: Constant[] = [];
  for (const node of step.nodes.toReversed()) {
    const isUsed = node.outputs.some(({ name }) => used.has(name));
    const stacked = isUsed ? undefined : stackNode(node, surroundings);
    if (stacked === undefined) {
      body.unshift(node);
      for (const name of node.inputs) used.add(name);
    } else {
      sunk.unshift(...stacked.nodes);
      added.push(...stacked.constants);
    }
  }
  const inBody = new Set(body.flatMap(({ outputs }) => outputs.map(({ name }) => name)));
  const later = new Set([
    ...sunk.flatMap(({ inputs }) => inputs),
    ...results.map(({ name }) => name),
  ]);
  const kept = [...inBody].flatMap((name) => (later.has(name) ? (values.get(name) ?? []) : []));
  const split = (isOutside: boolean) =>
    [...step.constants].filter(([name]) => later.has(name) === isOutside);
  return {
    step: { ...step, nodes: body, constants: new Map(split(false)) },
    kept,
    nodes: sunk,
    constants: new Map([
      ...split(true),
      ...added.map((constant) => [constant.name, constant] as const),
    ]),
  };
}

/** Values that differ from step to step: with the samples, or with the weights alone. */
function changingValues(
  step: Graph,
  scanned: ReadonlySet<string>,
  carried: ReadonlySet<string>,
): ReadonlyMap<string, 'with the samples' | 'with the weights'> {
  const changing = new Map<string, 'with the samples' | 'with the weights'>();
  for (const name of carried) changing.set(name, 'with the weights');
  for (const name of scanned) changing.set(name, 'with the samples');
  for (const { inputs, outputs } of step.nodes) {
    const kinds = inputs.flatMap((name) => changing.get(name) ?? []);
    if (kinds.length === 0) continue;
    const kind = kinds.includes('with the samples') ? 'with the samples' : 'with the weights';
    for (const { name } of outputs) changing.set(name, kind);
  }
  return changing;
}
