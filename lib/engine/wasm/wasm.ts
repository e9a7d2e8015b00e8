import type { EncodedSamples } from '../../features/samples.ts';
import type { Spec } from '../../spec/spec.ts';
import { instantiate } from '../../wasm/runtime.ts';
import { artifactName, cached } from '../artifacts.ts';
import type {
  CompiledModel,
  Engine,
  EngineState,
  GraphCache,
  RestartedRows,
  Trained,
} from '../engine.ts';
import { copyRow, placesOfTables } from '../restart-rows.ts';
import { type OrderedRun, rowsInOrder, trainUnpadded } from '../run.ts';
import { UntraceableError } from '../trace/untraceable.ts';
import { arithmeticOf, decodeArtifact, encodeArtifact, encodeRefusal, form } from './artifact.ts';
import { giveCoefficients, giveMasks, giveSamples, giveTargets } from './give.ts';
import { change, createMachine, floats, hold, holds, layoutOf, type Machine } from './machine.ts';

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
  // The one that trained last holds the state that is asked for next.
  let trainedLast: Machine | undefined;
  let isFresh = false;
  const machineOf = (minibatch: number): Promise<Machine> => {
    const machine =
      machines.get(minibatch) ??
      start(spec, minibatch, cache, () => {
        isFresh = true;
      });
    // Those that were used last are kept.
    machines.delete(minibatch);
    machines.set(minibatch, machine);
    for (const each of machines.keys())
      if (machines.size > mostMachines && each !== spec.online.minibatch) machines.delete(each);
    // What failed is tried again by the next call.
    machine.catch(() => machines.delete(minibatch));
    return machine;
  };
  const online = await machineOf(spec.online.minibatch);
  const holderOf = ({ tensors }: EngineState): Machine =>
    trainedLast && holds(trainedLast, tensors) ? trainedLast : online;
  // A model that could not do its batch jobs would only show it in the first one.
  if (isFresh) await machineOf(spec.batch.minibatch);
  const { outputs, mixesRows, work, initial } = online.artifact;
  return {
    engine: arithmeticOf(spec),
    outputs,
    work,
    initial: () => ({ tensors: initial, step: 0, seed: spec.seed }),
    async train(state, samples, run) {
      const ordered = { ...run, order: run.order ?? rowsInOrder(samples.count) };
      const trainRun = async (before: EngineState, each: OrderedRun) => {
        trainedLast = await machineOf(each.minibatch);
        return train(trainedLast, before, samples, each);
      };
      return mixesRows ? trainUnpadded(state, ordered, trainRun) : trainRun(state, ordered);
    },
    predict: async (state, samples) => predict(holderOf(state), state, samples),
    restart: (state, rows) => restart(holderOf(state), state, rows),
  };
}

/** Programs that a model has at once, one for each size of minibatch. */
const mostMachines = 8;

/** @param onCompile told that it was not in the cache */
async function start(
  spec: Spec,
  minibatch: number,
  cache: GraphCache | undefined,
  onCompile: () => void,
): Promise<Machine> {
  const name = artifactName(spec, `program/${minibatch}`, { arithmetic: arithmeticOf(spec), form });
  const artifact = decodeArtifact(
    await cached(cache, name, async () => {
      onCompile();
      const { compileProgram } = await import('./compile.ts');
      try {
        return encodeArtifact(await compileProgram(spec, minibatch));
      } catch (error) {
        if (error instanceof UntraceableError) return encodeRefusal(error.message);
        throw error;
      }
    }),
  );
  return createMachine(spec, artifact, await instantiate(artifact.module));
}

function train(
  machine: Machine,
  state: EngineState,
  samples: EncodedSamples,
  run: OrderedRun,
): Trained {
  const { order, minibatch } = run;
  const layout = layoutOf(machine, 'train');
  const losses = new Float32Array(Math.ceil(order.length / minibatch));
  const touched = machine.artifact.tables.map(({ column }) => touchedRows(samples, order, column));
  const tensors = change(machine, state.tensors, touched, () => {
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
  });
  return { state: { tensors, step: state.step + losses.length, seed: state.seed }, losses };
}

/** Writes the first rows over those in the memory, so that it costs what they have. */
function restart(
  machine: Machine,
  state: EngineState,
  restarted: readonly RestartedRows[],
): EngineState {
  const { initial, states, tables } = machine.artifact;
  const touched = tables.map(({ regions }) => {
    const rows = restarted.filter((each) => regions.some(({ part }) => each.tables.includes(part)));
    return Int32Array.from(new Set(rows.flatMap((each) => [...each.rows])));
  });
  const tensors = change(machine, state.tensors, touched, () => {
    for (const { tables: names, rows } of restarted) {
      for (const { tensor, offset, width } of placesOfTables(initial, names)) {
        const [place, first] = [states[tensor], initial[tensor]?.data];
        if (place === undefined || first === undefined) continue;
        const elements = floats(machine, place);
        for (const row of rows) copyRow(elements, first, offset + row * width, width);
      }
    }
  });
  return { ...state, tensors };
}

/** The rows of a table that samples name, each once; and row 0, which padding names. */
function touchedRows(
  { count, categories }: EncodedSamples,
  order: Int32Array,
  column: number,
): Int32Array {
  const width = categories.length / Math.max(1, count);
  const rows = new Set([0]);
  for (const row of order) rows.add(categories[row * width + column] ?? 0);
  return Int32Array.from(rows);
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
