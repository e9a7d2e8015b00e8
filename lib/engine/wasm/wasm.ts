import { MillraceError } from '../../errors.ts';
import type { EncodedSamples } from '../../features/samples.ts';
import { coefficientsOf } from '../../network/coefficients.ts';
import { writeMask } from '../../network/dropout.ts';
import { rateAt } from '../../network/schedules.ts';
import type { Spec } from '../../spec/spec.ts';
import { artifactName, cached } from '../artifacts.ts';
import type {
  CompiledModel,
  Engine,
  EngineState,
  GraphCache,
  Run,
  Tensors,
  Trained,
} from '../engine.ts';
import { rowsInOrder } from '../rows.ts';
import { stepNames } from '../trace/step-names.ts';
import { UntraceableError } from '../trace/untraceable.ts';
import {
  arithmeticOf,
  decodeArtifact,
  encodeArtifact,
  encodeRefusal,
  type ProgramArtifact,
} from './artifact.ts';
import type { CallLayout } from './program.ts';
import { type Instance, instantiate } from './runtime.ts';

/** Settings of {@link wasmEngine}. */
export type WasmSettings = {
  /** Where compiled models are kept. One that is found there is used without loading tfjs. */
  readonly cache?: GraphCache;
};

/**
 * The engine of WebAssembly: each training step is traced from tfjs and compiled to a module of its
 * own. The same input gives the same bits on every processor.
 */
export function wasmEngine(settings: WasmSettings = {}): Engine {
  return { compile: (spec) => compile(spec, settings) };
}

async function compile(spec: Spec, { cache }: WasmSettings): Promise<CompiledModel> {
  const machines = new Map<number, Promise<Machine>>();
  const machineOf = (minibatch: number): Promise<Machine> => {
    const known = machines.get(minibatch);
    if (known !== undefined) return known;
    const machine = start(spec, minibatch, cache);
    machines.set(minibatch, machine);
    // What failed is tried again by the next call.
    machine.catch(() => machines.delete(minibatch));
    return machine;
  };
  const online = await machineOf(spec.online.minibatch);
  const { outputs, mixesRows, initial } = online.artifact;
  return {
    engine: arithmeticOf(spec),
    outputs,
    initial: () => ({ tensors: initial, step: 0, seed: spec.seed }),
    async train(state, samples, run) {
      const { minibatch } = run;
      const order = run.order ?? rowsInOrder(samples.count);
      const rest = order.length % minibatch;
      if (!mixesRows || rest === 0)
        return train(await machineOf(minibatch), state, samples, { ...run, order });
      // The short minibatch gets a program of its own, instead of rows of padding.
      const [full, last] = [order.subarray(0, -rest), order.subarray(-rest)];
      const first = train(await machineOf(minibatch), state, samples, { ...run, order: full });
      const short = { ...run, minibatch: rest, order: last };
      const second = train(await machineOf(rest), first.state, samples, short);
      return { state: second.state, losses: Float32Array.of(...first.losses, ...second.losses) };
    },
    predict: async (state, samples) => predict(online, state, samples),
  };
}

/** A module that runs, and which state its memory holds. */
type Machine = {
  readonly spec: Spec;
  readonly artifact: ProgramArtifact;
  readonly instance: Instance;
  held: Tensors | undefined;
};

async function start(
  spec: Spec,
  minibatch: number,
  cache: GraphCache | undefined,
): Promise<Machine> {
  const name = artifactName(spec, `program/${minibatch}`, { arithmetic: arithmeticOf(spec) });
  const artifact = decodeArtifact(
    await cached(cache, name, async () => {
      const { compileProgram } = await import('./compile.ts');
      try {
        return encodeArtifact(await compileProgram(spec, minibatch));
      } catch (error) {
        if (error instanceof UntraceableError) return encodeRefusal(error.message);
        throw error;
      }
    }),
  );
  return { spec, artifact, instance: await instantiate(artifact.module), held: undefined };
}

function train(
  machine: Machine,
  state: EngineState,
  samples: EncodedSamples,
  run: Run & { readonly order: Int32Array },
): Trained {
  const { order, minibatch } = run;
  const layout = layoutOf(machine, 'train');
  const losses = new Float32Array(Math.ceil(order.length / minibatch));
  hold(machine, state.tensors);
  // Until the new state is read, the memory holds none.
  machine.held = undefined;
  for (let start = 0; start < losses.length; start += layout.steps) {
    const steps = Math.min(layout.steps, losses.length - start);
    const rows = order.subarray(start * minibatch, (start + steps) * minibatch);
    giveSamples(machine, layout, samples, rows);
    giveTargets(machine, layout, samples, rows);
    giveCoefficients(machine, layout, run, { firstStep: state.step + start, steps });
    giveMasks(machine, layout, { seed: state.seed, step: state.step + start }, steps);
    machine.instance.call('train', steps);
    losses.set(floats(machine, layout.result, steps), start);
  }
  const tensors = take(machine, state.tensors);
  machine.held = tensors;
  return { state: { tensors, step: state.step + losses.length, seed: state.seed }, losses };
}

function predict(
  machine: Machine,
  { tensors }: EngineState,
  samples: EncodedSamples,
): Float32Array {
  const layout = layoutOf(machine, 'predict');
  const { outputs } = machine.artifact;
  const predictions = new Float32Array(samples.count * outputs);
  hold(machine, tensors);
  const rowsAtOnce = layout.steps * layout.minibatch;
  for (let start = 0; start < samples.count; start += rowsAtOnce) {
    const rows = rowsInOrder(Math.min(rowsAtOnce, samples.count - start), start);
    const steps = Math.ceil(rows.length / layout.minibatch);
    giveSamples(machine, layout, samples, rows);
    machine.instance.call('predict', steps);
    const made = floats(machine, layout.result, steps);
    predictions.set(made.subarray(0, rows.length * outputs), start * outputs);
  }
  return predictions;
}

function layoutOf({ artifact }: Machine, call: string): CallLayout {
  const layout = artifact.calls[call];
  if (layout === undefined) throw new MillraceError('corrupt', `the program cannot ${call}`);
  return layout;
}

type Place = { readonly address: number; readonly size: number };

/** Elements of a place for so many steps, as they lie in memory. */
function floats({ instance }: Machine, { address, size }: Place, steps = 1): Float32Array {
  return new Float32Array(instance.memory.buffer, address, size * steps);
}

/** Puts a state into the memory, unless it is the one that is there. */
function hold(machine: Machine, tensors: Tensors): void {
  if (machine.held === tensors) return;
  machine.held = undefined;
  for (const [name, place] of Object.entries(machine.artifact.states)) {
    const tensor = tensors[name];
    if (tensor?.data.length !== place.size)
      throw new MillraceError('corrupt', `a state has no tensor ${name} of ${place.size} elements`);
    floats(machine, place).set(tensor.data);
  }
  machine.held = tensors;
}

/** Copies the state out of the memory. */
function take(machine: Machine, before: Tensors): Tensors {
  return Object.fromEntries(
    Object.entries(before).map(([name, { shape }]) => {
      const place = machine.artifact.states[name];
      if (place === undefined) throw new MillraceError('corrupt', `no program has ${name}`);
      return [name, { shape, data: floats(machine, place).slice() }];
    }),
  );
}

/** Gives the columns of some rows; the last minibatch is filled up with zeros. */
function giveSamples(
  machine: Machine,
  { arrays, minibatch }: CallLayout,
  { count, numbers, categories }: EncodedSamples,
  rows: Int32Array,
): void {
  const steps = Math.ceil(rows.length / minibatch);
  const given = [
    [arrays.numbers, numbers, Float32Array],
    [arrays.categories, categories, Int32Array],
  ] as const;
  for (const [place, values, Elements] of given) {
    if (place === undefined) continue;
    const target = new Elements(machine.instance.memory.buffer, place.address, place.size * steps);
    const width = place.size / minibatch;
    if (count > 0 && values.length !== count * width)
      throw new MillraceError(
        'corrupt',
        `samples have ${values.length / count} columns, not ${width}`,
      );
    copyRows(target, values, rows, width);
    target.fill(0, rows.length * width);
  }
}

function copyRows(
  target: Float32Array | Int32Array,
  values: Float32Array | Int32Array,
  rows: Int32Array,
  width: number,
): void {
  const [first = 0] = rows;
  let isInOrder = true;
  for (let i = 1; i < rows.length && isInOrder; i++) isInOrder = rows[i] === first + i;
  if (isInOrder) {
    target.set(values.subarray(first * width, (first + rows.length) * width));
    return;
  }
  for (let i = 0; i < rows.length; i++) {
    const [from, to] = [(rows[i] ?? 0) * width, i * width];
    for (let column = 0; column < width; column++) target[to + column] = values[from + column] ?? 0;
  }
}

/** Gives labels, and shares: those of rows that fill up the last minibatch are 0. */
function giveTargets(
  machine: Machine,
  { arrays, minibatch }: CallLayout,
  samples: EncodedSamples,
  rows: Int32Array,
): void {
  const steps = Math.ceil(rows.length / minibatch);
  const [labels, shares] = [stepNames.labels, stepNames.shares].map((name) => {
    const place = arrays[name];
    return place === undefined ? new Float32Array() : floats(machine, place, steps);
  });
  if (labels === undefined || shares === undefined) return;
  for (let start = 0; start < rows.length; start += minibatch) {
    const end = Math.min(start + minibatch, rows.length);
    let sum = 0;
    for (let i = start; i < end; i++) {
      const row = rows[i] ?? 0;
      const weight = samples.weights[row] ?? 0;
      labels[i] = samples.labels[row] ?? 0;
      shares[i] = weight;
      sum += weight;
    }
    if (sum > 0) for (let i = start; i < end; i++) shares[i] = (shares[i] ?? 0) / sum;
  }
  labels.fill(0, rows.length);
  shares.fill(0, rows.length);
}

/** Gives the optimizer's coefficients of each step. */
function giveCoefficients(
  machine: Machine,
  { arrays }: CallLayout,
  run: Run,
  { firstStep, steps }: { readonly firstStep: number; readonly steps: number },
): void {
  const [rates, epsilons] = [arrays[stepNames.rate], arrays[stepNames.epsilon]].map(
    (place) => place && floats(machine, place, steps),
  );
  for (let i = 0; i < steps; i++) {
    const step = firstStep + i;
    const { rate, epsilon } = coefficientsOf(machine.spec.optimizer, rateAt(run, step), step);
    if (rates !== undefined) rates[i] = rate;
    if (epsilons !== undefined) epsilons[i] = epsilon;
  }
}

/** Gives the masks of dropout of each step. */
function giveMasks(
  machine: Machine,
  { arrays }: CallLayout,
  { seed, step }: Pick<EngineState, 'seed' | 'step'>,
  steps: number,
): void {
  machine.artifact.masks.forEach(({ rate }, index) => {
    const place = arrays[stepNames.mask(index)];
    if (place === undefined) return;
    const all = floats(machine, place, steps);
    for (let i = 0; i < steps; i++) {
      const mask = all.subarray(i * place.size, (i + 1) * place.size);
      writeMask(mask, rate, { seed, step: step + i, index });
    }
  });
}
