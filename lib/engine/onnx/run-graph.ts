import { limits } from '../../limits.ts';
import type { Constant, Graph, Node, Value } from '../trace/graph.ts';
import { nextName, perStepName, runNames } from '../trace/step-names.ts';
import { hoist } from './hoist.ts';
import { sink } from './sink.ts';

/** Columns of the samples that an input of the step is made of. */
export type StepColumns = {
  readonly name: string;
  readonly kind: 'numbers' | 'category';
  readonly offset: number;
  readonly width: number;
};

/** What a step is made of: which inputs come from the samples, and which outputs are no state. */
export type StepLayout = {
  /** Rows of a step. */
  readonly minibatch: number;
  readonly columns: readonly StepColumns[];
  /**
   * Inputs that are given for each step: labels, shares, and what else differs from step to step.
   */
  readonly perStep: readonly string[];
  readonly numberWidth: number;
  readonly categoryCount: number;
};

/**
 * A whole run of steps as one graph: the rows of each step are gathered by index from samples that
 * stay where they are, and one `Scan` carries the state through the steps. What does not depend on
 * the state happens once, before it, and what no state depends on happens once, after it, for all
 * steps.
 */
export function runGraph(whole: Graph, layout: StepLayout): Graph {
  const build = createBuilder();
  const scanned = inputsOfStep(whole, layout, build, [-1]);
  const states = [...whole.outputs].filter(
    ([name, value]) => whole.inputs.some((input) => input.name === name) && value.name !== name,
  );
  const carried = new Set(states.map(([name]) => name));
  const elements = limits.stackedElementsPerRow * layout.minibatch;
  const before = hoist(whole, new Set(scanned.keys()), carried, elements);
  for (const value of before.stacked) scanned.set(value.name, value);
  const after = sink(before.step, new Set(scanned.keys()), carried, elements);
  /** What a value is outside of the step, for all steps. */
  const outside = (name: string) =>
    scanned.get(name)?.name ??
    (after.kept.some((value) => value.name === name) ? `kept/${name}` : name);
  const addAll = (nodes: readonly Node[], constants: ReadonlyMap<string, Constant>) => {
    for (const [name, constant] of constants) build.constants.set(name, constant);
    for (const node of nodes) build.add({ ...node, inputs: node.inputs.map(outside) });
  };

  addAll(before.nodes, before.constants);
  const inBody = new Set(after.step.nodes.flatMap(({ inputs }) => inputs));
  const taken = [...scanned].filter(([name]) => inBody.has(name));
  const next = states.map(([name, value]): Value => ({ ...value, name: nextName(name) }));
  const kept = after.kept.map(
    (value): Value => ({
      ...value,
      name: outside(value.name),
      shape: [-1, ...value.shape],
    }),
  );
  const body = bodyOf(
    after.step,
    [...carried],
    taken.map(([name]) => name),
    after.kept,
  );
  build.add({
    op: 'Scan',
    inputs: [...states.map(([name]) => name), ...taken.map(([, value]) => value.name)],
    outputs: [...next, ...kept],
    attributes: { body, num_scan_inputs: taken.length },
  });
  addAll(after.nodes, after.constants);

  const results = [...whole.outputs].filter(
    ([name]) => !whole.inputs.some((input) => input.name === name),
  );
  return {
    inputs: [
      ...whole.inputs.filter(({ name }) => !scanned.has(name)),
      { name: runNames.order, type: 'int32', shape: [-1, -1] },
      ...build.inputs,
    ],
    constants: build.constants,
    nodes: build.nodes,
    outputs: new Map([
      ...results.map(
        ([name, value]) =>
          [name, { ...value, name: outside(value.name), shape: [-1, ...value.shape] }] as const,
      ),
      ...next.map((value) => [value.name, value] as const),
    ]),
  };
}

/**
 * One step as a graph of its own, which gathers the rows of its samples as {@link runGraph} does,
 * from the same inputs. What it changes of the state comes out under {@link nextName}.
 */
export function stepGraph(whole: Graph, layout: StepLayout): Graph {
  const build = createBuilder();
  const given = inputsOfStep(whole, layout, build, []);
  for (const node of whole.nodes)
    build.add({ ...node, inputs: node.inputs.map((name) => given.get(name)?.name ?? name) });
  const isInput = (name: string) => whole.inputs.some((input) => input.name === name);
  return {
    inputs: [
      ...whole.inputs.filter(({ name }) => !given.has(name)),
      { name: runNames.order, type: 'int32', shape: [-1, -1] },
      ...build.inputs,
    ],
    constants: new Map([...whole.constants, ...build.constants]),
    nodes: build.nodes,
    outputs: new Map(
      [...whole.outputs].flatMap(([name, value]) =>
        value.name === name ? [] : [[isInput(name) ? nextName(name) : name, value] as const],
      ),
    ),
  };
}

type Builder = {
  readonly inputs: Value[];
  readonly nodes: Node[];
  readonly constants: Map<string, Constant>;
  readonly add: (node: Node) => void;
  readonly integers: (name: string, values: readonly number[]) => string;
};

function createBuilder(): Builder {
  const nodes: Node[] = [];
  const constants = new Map<string, Constant>();
  return {
    inputs: [],
    nodes,
    constants,
    add: (node) => void nodes.push(node),
    integers(name, values) {
      constants.set(name, {
        name,
        type: 'int64',
        shape: [values.length],
        data: Int32Array.from(values),
      });
      return name;
    },
  };
}

/**
 * The step's inputs that differ from step to step, by the name in the step: each of its shape
 * behind a dimension of steps, [−1], or behind none.
 */
function inputsOfStep(
  step: Graph,
  layout: StepLayout,
  build: Builder,
  leading: readonly number[],
): Map<string, Value> {
  const scanned = new Map<string, Value>();
  const shapeOf = (name: string) => step.inputs.find((input) => input.name === name);
  const rows = {
    numbers: undefined as Value | undefined,
    category: undefined as Value | undefined,
  };
  const gathered = (kind: 'numbers' | 'category'): Value => {
    const known = rows[kind];
    if (known !== undefined) return known;
    const isNumbers = kind === 'numbers';
    const source: Value = {
      name: isNumbers ? runNames.numbers : runNames.categories,
      type: isNumbers ? 'float32' : 'int32',
      shape: [-1, isNumbers ? layout.numberWidth : layout.categoryCount],
    };
    build.inputs.push(source);
    const picked: Value = {
      ...source,
      name: `picked/${kind}`,
      shape: [-1, -1, source.shape[1] ?? 0],
    };
    build.add({
      op: 'Gather',
      inputs: [source.name, runNames.order],
      outputs: [picked],
      attributes: { axis: 0 },
    });
    const value: Value = isNumbers ? picked : { ...picked, name: `wide/${kind}`, type: 'int64' };
    if (!isNumbers)
      build.add({ op: 'Cast', inputs: [picked.name], outputs: [value], attributes: { to: 7 } });
    rows[kind] = value;
    return value;
  };
  for (const { name, kind, offset, width } of layout.columns) {
    const input = shapeOf(name);
    if (input === undefined) continue;
    const all = gathered(kind);
    const slice = { ...all, name: `columns/${name}`, shape: [-1, -1, width] };
    const bounds = [[offset], [offset + width], [2]].map((values, i) =>
      build.integers(`${name}/${i}`, values),
    );
    if (all.shape[2] !== width) {
      build.add({ op: 'Slice', inputs: [all.name, ...bounds], outputs: [slice], attributes: {} });
    }
    scanned.set(name, shaped(input, all.shape[2] === width ? all : slice, build, leading));
  }
  for (const name of layout.perStep) {
    const input = shapeOf(name);
    if (input === undefined) continue;
    const all: Value = { ...input, name: perStepName(name), shape: [-1, -1] };
    build.inputs.push(all);
    scanned.set(name, shaped(input, all, build, leading));
  }
  return scanned;
}

/** Values of all steps in the shape that a step wants, behind the dimension of steps. */
function shaped(input: Value, all: Value, build: Builder, leading: readonly number[]): Value {
  const made: Value = {
    ...input,
    name: `stacked/${input.name}`,
    shape: [...leading, ...input.shape],
  };
  const shape = build.integers(`${made.name}/shape`, made.shape);
  build.add({ op: 'Reshape', inputs: [all.name, shape], outputs: [made], attributes: {} });
  return made;
}

/**
 * The step as the body of a Scan: states first, then what differs from step to step; the rest it
 * sees from outside.
 */
function bodyOf(
  step: Graph,
  carried: readonly string[],
  scanned: readonly string[],
  kept: readonly Value[],
): Graph {
  const inside = new Map([...carried, ...scanned].map((name) => [name, `step/${name}`]));
  const named = (name: string) => inside.get(name) ?? name;
  const inputs = [...carried, ...scanned].flatMap((name): Value[] => {
    const input = step.inputs.find((each) => each.name === name);
    return input === undefined ? [] : [{ ...input, name: named(name) }];
  });
  const results = [
    ...carried.map((name) => [name, step.outputs.get(name)] as const),
    ...kept.map((value) => [value.name, value] as const),
  ];
  const taken = new Set<string>(inputs.map(({ name }) => name));
  const outputsOfStep = new Map<string, Value>();
  for (const [name, value] of results) {
    if (value === undefined) continue;
    // Under its own name, so that nothing is copied, unless it is an input or an output already.
    const own = named(value.name);
    outputsOfStep.set(taken.has(own) ? `after/${name}` : own, { ...value, name: own });
    taken.add(own);
  }
  return {
    inputs,
    constants: step.constants,
    nodes: step.nodes.map((node) => ({ ...node, inputs: node.inputs.map(named) })),
    outputs: outputsOfStep,
  };
}
