import type { Tensor } from 'onnxruntime-node';
import type { EncodedSamples } from '../../features/samples.ts';
import type { Spec } from '../../spec/spec.ts';
import { instantiate } from '../../wasm/runtime.ts';
import type { EngineState, Trained } from '../engine.ts';
import type { OrderedRun } from '../run.ts';
import { nextName, stepNames } from '../trace/step-names.ts';
import { giveCoefficients } from '../wasm/give.ts';
import { changeMeanwhile, createMachine, floats, layoutOf, type Machine } from '../wasm/machine.ts';
import type { Program as UpdateProgram } from '../wasm/program.ts';
import type { ModelArtifact } from './artifact.ts';
import {
  cutSteps,
  type Feeds,
  maskFeeds,
  type Program,
  resultOf,
  sampleFeeds,
  targetFeeds,
} from './feeds.ts';

/** The memory in which WebAssembly updates a model's state by gradients of ONNX Runtime. */
export type Updater = {
  readonly machine: Machine;
  /** Where gradients, and what else a step gives it, lie in its memory. */
  readonly given: UpdateProgram['states'];
  /** Ends with the run that has the memory: the next one waits for it. */
  last: Promise<unknown>;
};

/** Starts with a memory that holds no state. */
export async function startUpdater(
  spec: Spec,
  artifact: ModelArtifact,
  update: UpdateProgram,
): Promise<Updater> {
  const isState = ([name]: readonly [string, unknown]) => artifact.initial[name] !== undefined;
  const places = Object.entries(update.states);
  const states = Object.fromEntries(places.filter(isState));
  const given = Object.fromEntries(places.filter((place) => !isState(place)));
  const program = { ...artifact, ...update, states, tables: [] };
  const machine = createMachine(spec, program, await instantiate(update.module));
  return { machine, given, last: Promise.resolve() };
}

/**
 * A run whose steps are done in two parts: gradients by ONNX Runtime, which reads weights where
 * they are and leaves gradients where the update wants them, and the update.
 */
export async function trainApart(
  { updater, ...program }: Program & { readonly updater: Updater },
  state: EngineState,
  samples: EncodedSamples,
  run: OrderedRun,
): Promise<Trained> {
  const { machine, last } = updater;
  const losses = new Float32Array(Math.ceil(run.order.length / run.minibatch));
  const steps = async () => {
    const bound = boundTensors(program, updater);
    const given = { ...bound.feeds, ...sampleFeeds(program, samples) };
    for (let at = 0; at < losses.length; at++) {
      const step = state.step + at;
      const rows = run.order.subarray(at * run.minibatch, (at + 1) * run.minibatch);
      const cut = cutSteps(samples, rows, run.minibatch);
      const shape = [1, run.minibatch] as const;
      const results = await program.session.run(
        {
          ...given,
          ...targetFeeds(program, cut, shape),
          ...maskFeeds(program, machine.artifact.masks, { seed: state.seed, step }, shape),
        },
        bound.fetches,
      );
      losses[at] = resultOf(results, stepNames.loss)[0] ?? Number.NaN;
      for (const [name, place] of bound.moved) floats(machine, place).set(resultOf(results, name));
      giveCoefficients(machine, layoutOf(machine, 'update'), run, { firstStep: step, steps: 1 });
      machine.instance.call('update', 1);
    }
  };
  const tensors = last.then(() => changeMeanwhile(machine, state.tensors, steps));
  updater.last = tensors.catch(() => undefined);
  return {
    state: { tensors: await tensors, step: state.step + losses.length, seed: state.seed },
    losses,
  };
}

/** What ONNX Runtime reads and writes in an updater's memory. */
type Bound = {
  readonly feeds: Feeds;
  /** Outputs that have their place there, and null for those that have none. */
  readonly fetches: Readonly<Record<string, Tensor | null>>;
  /** Outputs that take the place of a weight once the step is done. */
  readonly moved: readonly (readonly [name: string, place: UpdateProgram['states'][string]])[];
};

function boundTensors({ runtime, session, inputs }: Program, { machine, given }: Updater): Bound {
  const { states, initial } = machine.artifact;
  const feeds = Object.entries(states).flatMap(([name, place]) =>
    inputs.has(name)
      ? [[name, runtime.floats(floats(machine, place), initial[name]?.shape ?? [])] as const]
      : [],
  );
  const fetches = session.outputMetadata.map((output) => {
    const place = given[output.name];
    const shape = 'shape' in output ? output.shape.map(Number) : [];
    return [
      output.name,
      place === undefined ? null : runtime.floats(floats(machine, place), shape),
    ] as const;
  });
  const moved = Object.entries(states).flatMap(([name, place]) => {
    const next = nextName(name);
    return session.outputNames.includes(next) ? [[next, place] as const] : [];
  });
  return { feeds: Object.fromEntries(feeds), fetches: Object.fromEntries(fetches), moved };
}
