import type { InferenceSession, Tensor as NativeTensor } from 'onnxruntime-node';
import { MillraceError } from '../../errors.ts';
import { type EncodedSamples, labelsOfRow } from '../../features/samples.ts';
import { limits } from '../../limits.ts';
import { coefficientNames } from '../../network/coefficients.ts';
import type { Spec } from '../../spec/spec.ts';
import type { EngineState, Run, Tensor, Tensors } from '../engine.ts';
import { writeCoefficients, writeMasks, writeTargets } from '../run.ts';
import { sizeOf } from '../trace/graph.ts';
import { perStepName, runNames, stepNames } from '../trace/step-names.ts';
import type { StepMask } from '../trace/trace.ts';
import type { Parameter } from './artifact.ts';
import type { Runtime } from './runtime.ts';

/** A graph of many steps, ready to run. */
export type Program = {
  readonly runtime: Runtime;
  readonly session: InferenceSession;
  /** Inputs that the graph has. */
  readonly inputs: ReadonlySet<string>;
};

/** Inputs of one native call by name. */
export type Feeds = Record<string, NativeTensor>;

/** The state's tensors that the graph takes. */
export function stateFeeds({ runtime, inputs }: Program, tensors: Tensors): Feeds {
  return Object.fromEntries(
    Object.entries(tensors)
      .filter(([name]) => inputs.has(name))
      .map(([name, { data, shape }]) => [name, runtime.floats(data, shape)]),
  );
}

/**
 * The state as training takes it: weights that it has as one vector are joined to {@link
 * stepNames.parameters}.
 */
export function joinParameters(tensors: Tensors, parameters: readonly Parameter[]): Tensors {
  if (parameters.length === 0) return tensors;
  const size = parameters.reduce((sum, { shape }) => sum + sizeOf(shape), 0);
  const data = new Float32Array(size);
  let offset = 0;
  for (const { name, shape } of parameters) {
    data.set(tensors[name]?.data ?? [], offset);
    offset += sizeOf(shape);
  }
  return { ...tensors, [stepNames.parameters]: { shape: [size], data } };
}

/** Undoes {@link joinParameters}: weights are views of the vector. */
export function partParameters(tensors: Tensors, parameters: readonly Parameter[]): Tensors {
  const { [stepNames.parameters]: joined, ...rest } = tensors;
  if (joined === undefined) return tensors;
  let offset = 0;
  const parted = parameters.map(({ name, shape }): [string, Tensor] => {
    const start = offset;
    offset += sizeOf(shape);
    return [name, { shape, data: joined.data.subarray(start, offset) }];
  });
  return { ...rest, ...Object.fromEntries(parted) };
}

/** The columns of the samples that the graph takes, [count, columns] each. */
export function sampleFeeds(
  { runtime, inputs }: Program,
  { count, numbers, categories }: EncodedSamples,
): Feeds {
  const all: Feeds = {
    [runNames.numbers]: runtime.floats(numbers, [count, numbers.length / Math.max(count, 1)]),
    [runNames.categories]: runtime.integers(categories, [
      count,
      categories.length / Math.max(count, 1),
    ]),
  };
  return Object.fromEntries(Object.entries(all).filter(([name]) => inputs.has(name)));
}

/** The order of the rows of some steps, and their labels and shares. */
export function targetFeeds(
  { runtime }: Program,
  { order, labels, shares }: Cut,
  [steps, minibatch]: readonly [number, number],
): Feeds {
  return {
    [runNames.order]: runtime.integers(order, [steps, minibatch]),
    [perStepName(stepNames.labels)]: runtime.floats(labels, [steps, labels.length / steps]),
    [perStepName(stepNames.shares)]: runtime.floats(shares, [steps, minibatch]),
  };
}

/** The optimizer's coefficients of each step. */
export function coefficientFeeds(
  { runtime, inputs }: Program,
  { optimizer }: Spec,
  run: Run,
  { firstStep, steps }: { readonly firstStep: number; readonly steps: number },
): Feeds {
  const arrays: Record<string, Float32Array> = {};
  for (const name of coefficientNames(optimizer)) arrays[name] = new Float32Array(steps);
  writeCoefficients(arrays, optimizer, run, { firstStep, steps });
  return Object.fromEntries(
    Object.entries(arrays).flatMap(([name, data]) => {
      const perStep = perStepName(name);
      return inputs.has(perStep) ? [[perStep, runtime.floats(data, [steps, 1])]] : [];
    }),
  );
}

/** The masks of dropout of each step. */
export function maskFeeds(
  { runtime }: Program,
  masks: readonly StepMask[],
  { seed, step }: Pick<EngineState, 'seed' | 'step'>,
  [steps, minibatch]: readonly [number, number],
): Feeds {
  return Object.fromEntries(
    masks.map(({ width, rate }, index) => {
      const size = minibatch * width;
      const all = new Float32Array(steps * size);
      writeMasks(all, size, rate, { seed, step, index });
      return [perStepName(stepNames.mask(index)), runtime.floats(all, [steps, size])];
    }),
  );
}

/**
 * Steps of one native call: some tens of milliseconds to a second, and bounded memory for what is
 * gathered.
 *
 * @param width elements for each row, beside the row itself
 */
export function stepsPerCall(
  { count, numbers, categories }: EncodedSamples,
  minibatch: number,
  width = 0,
): number {
  const rowElements = 1 + width + (numbers.length + categories.length) / Math.max(count, 1);
  return Math.max(1, Math.floor(limits.elementsPerCall / (rowElements * minibatch)));
}

/** An output of a call. */
export function resultOf(results: InferenceSession.OnnxValueMapType, name: string): Float32Array {
  const value = results[name];
  if (value !== undefined && 'data' in value && value.data instanceof Float32Array)
    return value.data;
  throw new MillraceError('corrupt', `the compiled graph has no output ${name}`);
}

/** The rows of some steps, [steps × minibatch], and their labels; see {@link cutSteps}. */
export type Cut = {
  readonly order: Int32Array;
  readonly labels: Float32Array;
  readonly shares: Float32Array;
};

/** Rows in minibatches; the last one is filled up with rows of no share. */
export function cutSteps(samples: EncodedSamples, rows: Int32Array, minibatch: number): Cut {
  const steps = Math.ceil(rows.length / minibatch);
  const cut = {
    order: new Int32Array(steps * minibatch),
    labels: new Float32Array(steps * minibatch * labelsOfRow(samples)),
    shares: new Float32Array(steps * minibatch),
  };
  cut.order.set(rows);
  writeTargets(cut, samples, rows, minibatch);
  return cut;
}
