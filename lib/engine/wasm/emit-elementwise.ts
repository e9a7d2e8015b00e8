import type { FunctionBuilder } from '../../wasm/assembler.ts';
import type { Local } from '../../wasm/integer-code.ts';
import { type Constant, isSameShape, type Node, sizeOf } from '../trace/graph.ts';
import { UntraceableError } from '../trace/untraceable.ts';
import { elementwise, powerOf } from './elementwise.ts';
import { type Compute, forEach, stridesOf } from './loops.ts';
import { inMemory, type Plan, touchedRows } from './plan.ts';
import { broadcastStrides, type Reference } from './references.ts';
import type { Kernel } from './schedule.ts';
import { forEachTouched, type RowOperand } from './tables.ts';

/** Emits elementwise operators over the same elements. */
export function emitElementwise(f: FunctionBuilder, kernel: Kernel, plan: Plan): void {
  const { nodes, shape, touched } = kernel;
  const made = new Set(nodes.flatMap(({ outputs }) => outputs.map(({ name }) => name)));
  const immediates = new Map<string, Local>();
  const loaded = new Map<string, Reference>();
  const steps = nodes.map((node) => ({ node, inputs: inputsOf(node, plan) }));
  for (const { inputs } of steps) {
    for (const { name, reference } of inputs) {
      if (made.has(reference.base)) continue;
      const constant = plan.graph.constants.get(reference.base);
      if (constant !== undefined && sizeOf(constant.shape) === 1)
        immediates.set(name, immediate(f, constant));
      else loaded.set(name, reference);
    }
  }
  const stored = nodes.flatMap(({ outputs }) =>
    outputs.flatMap(({ name }) => {
      const address = plan.addressOf(name);
      return address === undefined ? [] : [{ name, address }];
    }),
  );
  const compute: Compute = (values) =>
    computeNodes(f, { steps, stored, plan }, localsOf(loaded, values, immediates));
  if (touched === undefined) {
    const operand = ({ base, offset, ...reference }: Reference) => ({
      address: (plan.addressOf(base) ?? 0) + offset,
      strides: broadcastStrides(reference, shape),
    });
    forEach(
      f,
      {
        shape,
        inputs: [...loaded.values()].map(operand),
        outputs: stored.map(({ address }) => ({ address, strides: stridesOf(shape) })),
      },
      compute,
    );
    return;
  }
  emitRows(f, { kernel, touched, loaded, stored, plan }, compute);
}

/** Locals of what is known and of what was loaded, by name. */
function localsOf(
  loaded: ReadonlyMap<string, Reference>,
  values: readonly Local[],
  immediates: ReadonlyMap<string, Local>,
): Map<string, Local> {
  const locals = new Map(immediates);
  [...loaded.keys()].forEach((name, i) => {
    locals.set(name, values[i] ?? 0);
  });
  return locals;
}

type Stored = readonly { readonly name: string; readonly address: number }[];

type ToCompute = {
  readonly steps: readonly { readonly node: Node; readonly inputs: readonly Input[] }[];
  readonly stored: Stored;
  readonly plan: Plan;
};

/** Emits the nodes for four elements, and answers with what is to be stored. */
function computeNodes(
  f: FunctionBuilder,
  { steps, stored, plan }: ToCompute,
  locals: Map<string, Local>,
): readonly Local[] {
  for (const { node, inputs } of steps) {
    const operands = inputs.map(
      ({ name, reference }) => locals.get(name) ?? locals.get(reference.base) ?? 0,
    );
    const [output] = node.outputs;
    if (output !== undefined) locals.set(output.name, emitterOf(node, plan)(f, operands, node));
  }
  return stored.map(({ name }) => locals.get(name) ?? 0);
}

type ToVisit = {
  readonly kernel: Kernel;
  readonly touched: string;
  readonly loaded: ReadonlyMap<string, Reference>;
  readonly stored: Stored;
  readonly plan: Plan;
};

/** Emits elementwise operators over the touched rows of a table. */
function emitRows(
  f: FunctionBuilder,
  { kernel: { shape }, touched, loaded, stored, plan }: ToVisit,
  compute: Compute,
): void {
  const row = shape.slice(1);
  const kindOf = (base: string, ofShape: readonly number[]): RowOperand['kind'] => {
    if (plan.schedule.touchedBy.get(base) === touched)
      return plan.states.has(base) ? 'table' : 'touched';
    return isSameShape(ofShape, shape) ? 'table' : 'broadcast';
  };
  const inputs = [...loaded.values()].map((reference): RowOperand => {
    const strides = broadcastStrides(reference, shape);
    const kind = kindOf(reference.base, reference.shape);
    if (kind === 'broadcast' && strides[0] !== 0)
      throw new UntraceableError('a value for each row of a table');
    return {
      address: (plan.addressOf(reference.base) ?? 0) + reference.offset,
      kind,
      strides: strides.slice(1),
    };
  });
  const outputs = stored.map(
    ({ name, address }): RowOperand => ({
      address,
      kind: kindOf(name, shape),
      strides: stridesOf(row),
    }),
  );
  forEachTouched(f, touchedRows(touched, plan), { row, inputs, outputs }, compute);
}

function emitterOf(node: Node, { graph }: Plan) {
  const emit =
    node.op === 'Pow' ? powerOf(graph.constants.get(node.inputs[1] ?? '')) : elementwise[node.op];
  if (emit === undefined) throw new UntraceableError(`the operator ${node.op} has no kernel`);
  return emit;
}

function immediate(f: FunctionBuilder, constant: Constant): Local {
  const [value = 0] = inMemory(constant);
  return constant.type === 'float32' ? f.constant(value) : f.integers(value);
}

type Input = { readonly name: string; readonly reference: Reference };

/** What an elementwise node takes, each element by element of its output. */
function inputsOf(node: Node, plan: Plan): Input[] {
  if (node.op !== 'OneHot') return node.inputs.map((name) => ({ name, reference: plan.of(name) }));
  const [index = '', depth = '', choice = ''] = node.inputs;
  const [size = 0] = plan.graph.constants.get(depth)?.data ?? [];
  const [off = 0, on = 1] = plan.graph.constants.get(choice)?.data ?? [];
  const reference = plan.of(index);
  const places = constantOf(
    plan,
    `places/${size}`,
    Int32Array.from({ length: size }, (_, i) => i),
  );
  const number = (value: number) =>
    constantOf(plan, `number/${value}`, Float32Array.of(value)).base;
  return [
    {
      name: `${index}/wide`,
      reference: {
        ...reference,
        shape: [...reference.shape, 1],
        strides: [...reference.strides, 0],
      },
    },
    { name: `places/${size}`, reference: places },
    ...[off, on].map((value) => ({
      name: number(value),
      reference: { base: number(value), shape: [], offset: 0, strides: [] },
    })),
  ];
}

/** A constant of the plan's own. */
function constantOf(plan: Plan, name: string, data: Float32Array | Int32Array): Reference {
  const shape = data.length === 1 ? [] : [data.length];
  const type = data instanceof Float32Array ? 'float32' : 'int32';
  const constants = plan.graph.constants as Map<string, Constant>;
  if (!constants.has(name)) constants.set(name, { name, type, shape, data });
  return { base: name, shape, offset: 0, strides: stridesOf(shape) };
}
