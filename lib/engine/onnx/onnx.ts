import type { InferenceSession, Tensor } from 'onnxruntime-node';
import { MillraceError } from '../../errors.ts';
import type { EncodedSamples } from '../../features/samples.ts';
import { limits } from '../../limits.ts';
import { lossFromLogits } from '../../model/sample-losses.ts';
import { rateAt } from '../../model/schedules.ts';
import type { Spec } from '../../spec/spec.ts';
import type { CompiledModel, Engine, EngineState, GraphCache, Run, Tensors, Trained } from '../engine.ts';
import { artifactName, cached, decodeArtifact, encodeArtifact, engineVersion } from './artifact.ts';
import { nextName, perStepName, runNames } from './run-graph.ts';
import { loadRuntime, type Runtime } from './runtime.ts';

/** Settings of {@link onnxEngine}. */
export type OnnxSettings = {
  /** Threads of one operator; as many as the function has processors. */
  readonly threads: number;
  /** Where compiled graphs are kept. A model that is found there is used without loading tfjs. */
  readonly cache?: GraphCache;
};

/**
 * The native engine: each training step is traced from tfjs, compiled to an ONNX graph, and run by ONNX Runtime,
 * a whole run of minibatches a call. The same input gives the same bits on the same kind of processor.
 */
export function onnxEngine(settings: OnnxSettings): Engine {
  return { compile: (spec) => compile(spec, settings) };
}

/** A graph of many steps, ready to run. */
type Program = {
  readonly runtime: Runtime;
  readonly session: InferenceSession;
  /** Inputs that the graph has. */
  readonly inputs: ReadonlySet<string>;
};

async function compile(spec: Spec, { threads, cache }: OnnxSettings): Promise<CompiledModel> {
  const runtime = await loadRuntime();
  const compiler = () => import('./compile.ts');
  const artifact = decodeArtifact(
    await cached(cache, artifactName(spec, 'model'), async () =>
      encodeArtifact(await (await compiler()).compileModel(spec)),
    ),
  );
  const start = async (model: Uint8Array): Promise<Program> => {
    const session = await runtime.createSession(model, threads);
    return { runtime, session, inputs: new Set(session.inputNames) };
  };
  const compileTraining = (minibatch: number) =>
    cached(cache, artifactName(spec, `training/${minibatch}`), async () =>
      (await compiler()).compileTraining(spec, minibatch),
    );
  const programs = new Map<number, Promise<Program>>();
  const training = (minibatch: number): Promise<Program> => {
    const isOnline = minibatch === spec.online.minibatch;
    const program =
      programs.get(minibatch) ??
      (isOnline ? start(artifact.training) : compileTraining(minibatch).then(start));
    programs.set(minibatch, program);
    return program;
  };
  const prediction = await start(artifact.prediction);
  return {
    engine: engineVersion,
    outputs: artifact.outputs,
    initial: () => ({ tensors: artifact.initial, step: 0, seed: spec.seed }),
    async train(state, samples, run) {
      const { minibatch } = run;
      const order = run.order ?? rowsInOrder(samples.count);
      const rest = order.length % minibatch;
      if (!artifact.mixesRows || rest === 0) {
        return train(spec, await training(minibatch), state, samples, order, run);
      }
      // The short minibatch gets a graph of its own, instead of rows of padding.
      const [full, last] = [order.subarray(0, -rest), order.subarray(-rest)];
      const first = await train(spec, await training(minibatch), state, samples, full, run);
      const short = { ...run, minibatch: rest };
      const second = await train(spec, await training(rest), first.state, samples, last, short);
      return { state: second.state, losses: Float32Array.of(...first.losses, ...second.losses) };
    },
    predict: (state, samples) => predict(prediction, artifact.outputs, state, samples),
  };
}

type Feeds = Record<string, Tensor>;

async function train(
  spec: Spec,
  program: Program,
  state: EngineState,
  samples: EncodedSamples,
  order: Int32Array,
  run: Run,
): Promise<Trained> {
  const { runtime, session } = program;
  const { minibatch } = run;
  const losses = new Float32Array(Math.ceil(order.length / minibatch));
  const stepsAtOnce = stepsPerCall(samples, minibatch);
  const given = sampleFeeds(program, samples);
  let tensors = state.tensors;
  for (let start = 0; start < losses.length; start += stepsAtOnce) {
    const steps = Math.min(stepsAtOnce, losses.length - start);
    const cut = cutSteps(samples, order.subarray(start * minibatch, (start + steps) * minibatch), minibatch);
    const results = await session.run({
      ...stateFeeds(program, tensors),
      ...given,
      [runNames.order]: runtime.integers(cut.order, [steps, minibatch]),
      [perStepName(runNames.labels)]: runtime.floats(cut.labels, [steps, minibatch]),
      [perStepName(runNames.shares)]: runtime.floats(cut.shares, [steps, minibatch]),
      ...rateFeeds(program, run, state.step + start, steps),
    });
    losses.set(lossesOf(spec, results, cut, steps, minibatch), start);
    tensors = nextTensors(tensors, results);
  }
  return { state: { tensors, step: state.step + losses.length, seed: state.seed }, losses };
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
    predictions.set(floats(results, runNames.output).subarray(0, count * outputs), start * outputs);
  }
  return predictions;
}

/** Steps of one native call: some tens of milliseconds to a second, and bounded memory for the gathered rows. */
function stepsPerCall({ count, numbers, categories }: EncodedSamples, minibatch: number): number {
  const rowElements = 1 + (numbers.length + categories.length) / Math.max(count, 1);
  return Math.max(1, Math.floor(limits.elementsPerCall / (rowElements * minibatch)));
}

function rowsInOrder(count: number, start = 0): Int32Array {
  const rows = new Int32Array(count);
  for (let i = 0; i < count; i++) rows[i] = start + i;
  return rows;
}

type Cut = { readonly order: Int32Array; readonly labels: Float32Array; readonly shares: Float32Array };

/** Rows in minibatches; the last one is filled up with rows of no share. */
function cutSteps(samples: EncodedSamples, rows: Int32Array, minibatch: number): Cut {
  const steps = Math.ceil(rows.length / minibatch);
  const cut = {
    order: new Int32Array(steps * minibatch),
    labels: new Float32Array(steps * minibatch),
    shares: new Float32Array(steps * minibatch),
  };
  cut.order.set(rows);
  for (let start = 0; start < rows.length; start += minibatch) {
    const end = Math.min(start + minibatch, rows.length);
    let sum = 0;
    for (let i = start; i < end; i++) {
      const row = rows[i] ?? 0;
      const weight = samples.weights[row] ?? 0;
      cut.labels[i] = samples.labels[row] ?? 0;
      cut.shares[i] = weight;
      sum += weight;
    }
    if (sum > 0) for (let i = start; i < end; i++) cut.shares[i] = (cut.shares[i] ?? 0) / sum;
  }
  return cut;
}

function lossesOf(
  spec: Spec,
  results: InferenceSession.OnnxValueMapType,
  { labels, shares }: Cut,
  steps: number,
  minibatch: number,
): Float32Array {
  const logits = floats(results, runNames.output);
  const penalties = results[runNames.penalty] === undefined ? undefined : floats(results, runNames.penalty);
  return Float32Array.from({ length: steps }, (_, step) => {
    let loss = penalties?.[step] ?? 0;
    for (let row = step * minibatch; row < (step + 1) * minibatch; row++) {
      const share = shares[row] ?? 0;
      if (share > 0) loss += share * lossFromLogits(spec, logits, row, labels[row] ?? 0);
    }
    return loss;
  });
}

function stateFeeds({ runtime, inputs }: Program, tensors: Tensors): Feeds {
  return Object.fromEntries(
    Object.entries(tensors)
      .filter(([name]) => inputs.has(name))
      .map(([name, { data, shape }]) => [name, runtime.floats(data, shape)]),
  );
}

/** The rate of all steps, or of each of them where the graph asks for that. */
function rateFeeds({ runtime, inputs }: Program, run: Run, firstStep: number, steps: number): Feeds {
  const perStep = perStepName(runNames.rate);
  if (!inputs.has(perStep)) return { [runNames.rate]: runtime.floats(Float32Array.of(run.rate), []) };
  const rates = Float32Array.from({ length: steps }, (_, i) => rateAt(run, firstStep + i));
  return { [perStep]: runtime.floats(rates, [steps, 1]) };
}

function sampleFeeds({ runtime, inputs }: Program, { count, numbers, categories }: EncodedSamples): Feeds {
  const all: Feeds = {
    [runNames.numbers]: runtime.floats(numbers, [count, numbers.length / Math.max(count, 1)]),
    [runNames.categories]: runtime.integers(categories, [count, categories.length / Math.max(count, 1)]),
  };
  return Object.fromEntries(Object.entries(all).filter(([name]) => inputs.has(name)));
}

/** The state's tensors after a call; what the steps do not change stays what it is. */
function nextTensors(tensors: Tensors, results: InferenceSession.OnnxValueMapType): Tensors {
  return Object.fromEntries(
    Object.entries(tensors).map(([name, tensor]) => {
      const next = nextName(name);
      return [
        name,
        results[next] === undefined ? tensor : { shape: tensor.shape, data: floats(results, next) },
      ];
    }),
  );
}

function floats(results: InferenceSession.OnnxValueMapType, name: string): Float32Array {
  const value = results[name];
  if (value !== undefined && 'data' in value && value.data instanceof Float32Array) return value.data;
  throw new MillraceError('corrupt', `the compiled graph has no output ${name}`);
}
