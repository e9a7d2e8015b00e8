import type { InferenceSession } from 'onnxruntime-node';
import type { EncodedSamples } from '../../features/samples.ts';
import { limits } from '../../limits.ts';
import type { Spec } from '../../spec/spec.ts';
import { cached } from '../artifacts.ts';
import type {
  CompiledModel,
  Engine,
  EngineState,
  GraphCache,
  Tensors,
  Trained,
} from '../engine.ts';
import { restartedState } from '../restart-rows.ts';
import { type OrderedRun, rowsInOrder, trainUnpadded } from '../run.ts';
import { nextName, runNames, stepNames } from '../trace/step-names.ts';
import { startUpdater, trainApart } from './apart.ts';
import {
  artifactName,
  decodeArtifact,
  encodeArtifact,
  type ModelArtifact,
  versionOf,
} from './artifact.ts';
import {
  coefficientFeeds,
  cutSteps,
  joinParameters,
  maskFeeds,
  type Program,
  partParameters,
  resultOf,
  sampleFeeds,
  stateFeeds,
  stepsPerCall,
  targetFeeds,
} from './feeds.ts';
import { processorKind } from './processor.ts';
import { loadRuntime } from './runtime.ts';

/** Settings of {@link onnxEngine}. */
export type OnnxSettings = {
  /**
   * Threads of one operator: as many as the function has processors. The same number gives the same
   * bits.
   */
  readonly threads: number;
  /** Where compiled graphs are kept. A model that is found there is used without loading tfjs. */
  readonly cache?: GraphCache;
  /** Weights from which on an optimizer with slots runs on WebAssembly; `limits` has it. */
  readonly apartFrom?: number;
};

/**
 * The native engine: each training step is traced from tfjs, compiled to an ONNX graph, and run by
 * ONNX Runtime, a whole run of minibatches a call. The same input gives the same bits on the same
 * kind of processor.
 */
export function onnxEngine(settings: OnnxSettings): Engine {
  return { compile: (spec) => compile(spec, settings) };
}

async function compile(
  spec: Spec,
  { threads, cache, apartFrom }: OnnxSettings,
): Promise<CompiledModel> {
  const runtime = await loadRuntime();
  const compiler = () => import('./compile.ts');
  const artifact = decodeArtifact(
    await cached(cache, artifactName(spec, 'model', apartFrom), async () =>
      encodeArtifact(await (await compiler()).compileModel(spec, apartFrom)),
    ),
  );
  const start = async (graph: Uint8Array, threadsOfOne = threads): Promise<Program> => {
    const session = await runtime.createSession(graph, threadsOfOne);
    return { runtime, session, inputs: new Set(session.inputNames) };
  };
  const compileTraining = (minibatch: number) =>
    cached(cache, artifactName(spec, `training/${minibatch}`, apartFrom), async () =>
      (await compiler()).compileTraining(spec, minibatch, apartFrom),
    );
  const startTraining = async (graph: Uint8Array): Promise<TrainingProgram> => ({
    ...(await start(graph, artifact.isSerial ? 1 : threads)),
    spec,
    artifact,
  });
  const programs = new Map<number, Promise<TrainingProgram>>();
  const training = (minibatch: number): Promise<TrainingProgram> => {
    const isOnline = minibatch === spec.online.minibatch;
    const program =
      programs.get(minibatch) ??
      (isOnline
        ? startTraining(artifact.training)
        : compileTraining(minibatch).then(startTraining));
    programs.set(minibatch, program);
    // What failed is tried again by the next call.
    program.catch(() => programs.delete(minibatch));
    return program;
  };
  const prediction = await start(artifact.prediction);
  const { update } = artifact;
  const updater = update && (await startUpdater(spec, artifact, update));
  return {
    engine: `${versionOf(artifact)} on ${processorKind()}`,
    outputs: artifact.outputs,
    work: artifact.work,
    initial: () => ({ tensors: artifact.initial, step: 0, seed: spec.seed }),
    async train(state, samples, run) {
      const ordered = { ...run, order: run.order ?? rowsInOrder(samples.count) };
      const trainRun = async (before: EngineState, each: OrderedRun) => {
        const program = await training(each.minibatch);
        return updater === undefined
          ? train(program, before, samples, each)
          : trainApart({ ...program, updater }, before, samples, each);
      };
      return artifact.mixesRows
        ? trainUnpadded(state, ordered, trainRun)
        : trainRun(state, ordered);
    },
    predict: (state, samples) => predict(prediction, artifact.outputs, state, samples),
    restart: (state, rows) => restartedState(artifact.initial, state, rows),
  };
}

/** A graph of many training steps, and what it was compiled from. */
type TrainingProgram = Program & { readonly spec: Spec; readonly artifact: ModelArtifact };

async function train(
  { spec, artifact, ...program }: TrainingProgram,
  state: EngineState,
  samples: EncodedSamples,
  run: OrderedRun,
): Promise<Trained> {
  const { session } = program;
  const { minibatch, order } = run;
  const { masks, parameters } = artifact;
  const losses = new Float32Array(Math.ceil(order.length / minibatch));
  const masksWidth = masks.reduce((sum, { width }) => sum + width, 0);
  const stepsAtOnce = stepsPerCall(samples, minibatch, masksWidth);
  const given = sampleFeeds(program, samples);
  let tensors = joinParameters(state.tensors, parameters);
  for (let start = 0; start < losses.length; start += stepsAtOnce) {
    const steps = Math.min(stepsAtOnce, losses.length - start);
    const cut = cutSteps(
      samples,
      order.subarray(start * minibatch, (start + steps) * minibatch),
      minibatch,
    );
    const results = await session.run({
      ...stateFeeds(program, tensors),
      ...given,
      ...targetFeeds(program, cut, [steps, minibatch]),
      ...coefficientFeeds(program, spec, run, { firstStep: state.step + start, steps }),
      ...maskFeeds(program, masks, { seed: state.seed, step: state.step + start }, [
        steps,
        minibatch,
      ]),
    });
    losses.set(resultOf(results, stepNames.loss), start);
    tensors = nextTensors(tensors, results);
  }
  return {
    state: {
      tensors: partParameters(tensors, parameters),
      step: state.step + losses.length,
      seed: state.seed,
    },
    losses,
  };
}

async function predict(
  program: Program,
  outputs: number,
  { tensors }: EngineState,
  samples: EncodedSamples,
): Promise<Float32Array> {
  const { runtime, session } = program;
  const minibatch = limits.predictMinibatch;
  const predictions = new Float32Array(samples.count * outputs);
  const given = { ...stateFeeds(program, tensors), ...sampleFeeds(program, samples) };
  const rowsAtOnce = stepsPerCall(samples, minibatch) * minibatch;
  for (let start = 0; start < samples.count; start += rowsAtOnce) {
    const count = Math.min(rowsAtOnce, samples.count - start);
    const steps = Math.ceil(count / minibatch);
    const order = new Int32Array(steps * minibatch);
    order.set(rowsInOrder(count, start));
    const results = await session.run({
      ...given,
      [runNames.order]: runtime.integers(order, [steps, minibatch]),
    });
    predictions.set(
      resultOf(results, stepNames.output).subarray(0, count * outputs),
      start * outputs,
    );
  }
  return predictions;
}

/** The state's tensors after a call; what the steps do not change stays what it is. */
function nextTensors(tensors: Tensors, results: InferenceSession.OnnxValueMapType): Tensors {
  return Object.fromEntries(
    Object.entries(tensors).map(([name, tensor]) => {
      const next = nextName(name);
      return [
        name,
        results[next] === undefined
          ? tensor
          : { shape: tensor.shape, data: resultOf(results, next) },
      ];
    }),
  );
}
