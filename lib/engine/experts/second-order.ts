import type { EncodedSamples } from '../../features/samples.ts';
import type { Spec } from '../../spec/spec.ts';
import type { CompiledModel, EngineState, Run, Tensor, Tensors, Trained } from '../engine.ts';
import { rowsInOrder } from '../run.ts';
import { judge, shareOfStep } from './answer-information.ts';
import { independent, measure } from './covariance.ts';
import {
  type DerivedInputs,
  denseWidth,
  derivedInputsOf,
  kernelRowsOf,
  type LinearInputs,
  linearInputsOf,
  writeLinearInputs,
} from './linear-inputs.ts';
import { numberPriors } from './number-priors.ts';
import {
  noScales,
  numberScaleName,
  rescale,
  restateNumbers,
  type ScaledWeights,
  scaleName,
} from './scaled-weights.ts';

const [kernelName, biasName] = ['weights/output/kernel', 'weights/output/bias'] as const;
const [covarianceName, variancesName] = ['optimizer/covariance', 'optimizer/variances'] as const;

/** What is known of a weight before the first sample, in units of the noise of a sample. */
const prior = { bias: 10, row: 1, derived: 8 };

/** The weights of a state that learn, copied, and room for what is computed of a sample. */
type Learning = ScaledWeights & {
  readonly spec: Pick<Spec, 'task' | 'revision'>;
  readonly derived: DerivedInputs;
  /** Of each row of all tables, then of each sparse number: they are taken for independent. */
  readonly variances: Float32Array;
  /** Rows of the kernel that dense inputs have, but for the 1 of the bias. */
  readonly kernelRows: Int32Array;
  /** The dense inputs, and covariance · row. */
  readonly row: Float64Array;
  readonly gain: Float64Array;
  readonly answer: Float64Array;
};

/**
 * A network without hidden layers that learns each sample once, by how sure it is of each weight
 * and of each pair: recursive least squares of a regression, and of classes the extended Kalman
 * filter of their log-odds, with one covariance for all outputs. It needs no rate. Rows of tables
 * and the numbers of long texts are taken for independent of all else, so that a sample costs what
 * it has of them. Its answers are those of the network.
 *
 * @param compiled the network, whose optimizer keeps nothing
 * @param follows whether what is known of numbers stays known when they are scaled otherwise
 */
export function bySecondOrder(
  spec: Spec,
  compiled: CompiledModel,
  follows: boolean,
): CompiledModel {
  const inputs = linearInputsOf(spec);
  const labels = spec.label.standardize ? compiled.outputs : 0;
  const scaled = { labels, numbers: follows ? inputs.numbers : 0 };
  const first = firstTensors(inputs, scaled, numberPriors(spec));
  const { [covarianceName]: covariance } = first;
  return {
    ...compiled,
    work: {
      ...compiled.work,
      learnt: workOfPair * (covariance?.data.length ?? 0) + inputs.sparse.length * compiled.outputs,
    },
    initial: () => {
      const state = compiled.initial();
      return { ...state, tensors: { ...state.tensors, ...first } };
    },
    train: async (state, samples, run) =>
      learnRows(learningOf(spec, inputs, state), state, samples, run),
    restart: (state, restarted) => {
      const weights = Object.entries(state.tensors).filter(([name]) => !(name in first));
      const { tensors } = compiled.restart(
        { ...state, tensors: Object.fromEntries(weights) },
        restarted,
      );
      const { [variancesName]: known } = state.tensors;
      if (known === undefined) return { ...state, tensors: { ...state.tensors, ...tensors } };
      const data = known.data.slice();
      for (const { tables, rows } of restarted)
        for (const table of inputs.tables.filter(({ tensor }) => tables.includes(tensor)))
          for (const row of rows) data[table.first + row] = prior.row;
      return {
        ...state,
        tensors: { ...state.tensors, ...tensors, [variancesName]: { ...known, data } },
      };
    },
  };
}

/** What each pair of weights takes, in JavaScript. */
const workOfPair = 12;

/**
 * What it knows of its weights before the first sample.
 *
 * @param scaled how many have a scale
 * @param priors see {@link numberPriors}
 */
function firstTensors(
  { dense, sparse, periodic, pieces, products, tables }: LinearInputs,
  scaled: { readonly labels: number; readonly numbers: number },
  priors: Float64Array,
): Tensors {
  const priorsOf = (places: Int32Array) => Array.from(places, (place) => priors[place] ?? 0);
  const covariance = independent([
    prior.bias,
    ...priorsOf(dense),
    ...[periodic, pieces, products].flatMap((count) =>
      Array.from({ length: count }, () => prior.derived / count),
    ),
  ]);
  const rows = tables.reduce((sum, table) => sum + table.rows, 0);
  const variances = new Float32Array(rows + sparse.length).fill(prior.row);
  variances.set(priorsOf(sparse), rows);
  return {
    [covarianceName]: { shape: [covariance.length], data: covariance },
    ...(variances.length > 0 && {
      [variancesName]: { shape: [variances.length], data: variances },
    }),
    ...(scaled.labels > 0 && { [scaleName]: noScales(scaled.labels) }),
    ...(scaled.numbers > 0 && { [numberScaleName]: noScales(scaled.numbers) }),
  };
}

function learnRows(
  learning: Learning,
  state: EngineState,
  samples: EncodedSamples,
  { order = rowsInOrder(samples.count), minibatch, labelScaleAt, numberScaleAt }: Run,
): Trained {
  const losses = new Float32Array(Math.ceil(order.length / minibatch));
  for (let step = 0; step < losses.length; step++) {
    const isKnown = rescale(learning, labelScaleAt?.(state.step + step));
    restateNumbers(learning, numberScaleAt?.(state.step + step));
    let [loss, importance] = [0, 0];
    for (const row of order.subarray(step * minibatch, (step + 1) * minibatch)) {
      const weight = samples.weights[row] ?? 0;
      importance += (samples.importance ?? samples.weights)[row] ?? 0;
      if (isKnown && weight > 0) loss += weight * learnRow(learning, samples, row);
    }
    losses[step] = importance > 0 ? loss / importance : 0;
  }
  const tensors = { ...state.tensors, ...learntTensors(learning, state) };
  return { state: { ...state, tensors, step: state.step + losses.length }, losses };
}

function learningOf(
  { task, revision = 0 }: Spec,
  inputs: LinearInputs,
  { tensors }: EngineState,
): Learning {
  const own = (name: string) => tensors[name]?.data.slice() ?? new Float32Array(0);
  const bias = own(biasName);
  const width = denseWidth(inputs);
  const kernel = own(kernelName);
  return {
    spec: { task, revision },
    inputs,
    derived: derivedInputsOf(tensors),
    outputs: bias.length,
    kernel,
    kernelRows: kernelRowsOf(inputs, kernel.length / bias.length),
    bias,
    covariance: own(covarianceName),
    tables: inputs.tables.map(({ tensor }) => own(tensor)),
    variances: own(variancesName),
    scale: tensors[scaleName]?.data.slice(),
    numberScale: tensors[numberScaleName]?.data.slice(),
    mostRatio: revision >= 15 ? 1e6 : Number.POSITIVE_INFINITY,
    row: new Float64Array(width),
    gain: new Float64Array(width),
    answer: new Float64Array(bias.length),
  };
}

/** The tensors that have changed. */
function learntTensors(
  { kernel, bias, covariance, variances, scale, numberScale, tables, inputs }: Learning,
  { tensors }: EngineState,
): Tensors {
  const changed: readonly (readonly [name: string, data: Float32Array | undefined])[] = [
    [kernelName, kernel],
    [biasName, bias],
    [covarianceName, covariance],
    [variancesName, variances],
    [scaleName, scale],
    [numberScaleName, numberScale],
    ...inputs.tables.map(({ tensor }, i) => [tensor, tables[i]] as const),
  ];
  const learnt: Record<string, Tensor> = {};
  for (const [name, data] of changed) {
    const before = tensors[name];
    if (before !== undefined && data !== undefined) learnt[name] = { shape: before.shape, data };
  }
  return learnt;
}

/** A weight that is apart from all others. */
type ApartWeight = {
  readonly weights: Float32Array;
  /** Of its first output. */
  readonly at: number;
  /** Its place among variances. */
  readonly place: number;
  /** What it is multiplied by. */
  readonly input: number;
};

/** The weights of a sample that are taken for independent. */
function apartWeights(
  { inputs, outputs, kernel, tables, variances }: Learning,
  { categories }: EncodedSamples,
  row: number,
  numbers: Float32Array,
): readonly ApartWeight[] {
  const found = inputs.tables.map(({ categoryOffset, first }, t): ApartWeight => {
    const place = categories[row * inputs.categories + categoryOffset] ?? 0;
    const weights = tables[t] ?? noWeights;
    return { weights, at: place * outputs, place: first + place, input: 1 };
  });
  const rows = variances.length - inputs.sparse.length;
  inputs.sparse.forEach((column, i) => {
    const input = numbers[column] ?? 0;
    if (input !== 0) found.push({ weights: kernel, at: column * outputs, place: rows + i, input });
  });
  return found;
}

const noWeights = new Float32Array(0);

/** Learns a sample in place. @returns its loss before */
function learnRow(learning: Learning, samples: EncodedSamples, row: number): number {
  const { spec, inputs, outputs, row: values, gain, answer, derived } = learning;
  const { kernel, kernelRows, bias, covariance, variances } = learning;
  const numbers = samples.numbers.subarray(row * inputs.numbers, (row + 1) * inputs.numbers);
  writeLinearInputs(derived, numbers, inputs.dense, values);
  const apart = apartWeights(learning, samples, row, numbers);
  for (let output = 0; output < outputs; output++) {
    let sum = bias[output] ?? 0;
    for (let i = 1; i < values.length; i++)
      sum += (values[i] ?? 0) * (kernel[(kernelRows[i - 1] ?? 0) * outputs + output] ?? 0);
    for (const { weights, at, input } of apart) sum += input * (weights[at + output] ?? 0);
    answer[output] = sum;
  }
  const { loss, information, shares } = judge(spec, answer, samples, row);
  const open = apart.reduce(
    (sum, { place, input }) => sum + input * input * (variances[place] ?? 0),
    0,
  );
  const weight = samples.weights[row] ?? 0;
  const noise = 1 / (information * weight);
  const total = measure(covariance, values, noise + open, gain);
  for (let output = 0; output < outputs; output++) {
    const way = (answer[output] ?? 0) / (information * total);
    const share = shares?.[output];
    const step =
      share === undefined
        ? way
        : way * shareOfStep(way * (total - noise), { share, reach: (total - noise) * weight });
    bias[output] = (bias[output] ?? 0) + step * (gain[0] ?? 0);
    for (let i = 1; i < values.length; i++) {
      const at = (kernelRows[i - 1] ?? 0) * outputs + output;
      kernel[at] = (kernel[at] ?? 0) + step * (gain[i] ?? 0);
    }
    for (const { weights, at, place, input } of apart)
      if (at + output < weights.length)
        weights[at + output] = (weights[at + output] ?? 0) + step * (variances[place] ?? 0) * input;
  }
  for (const { place, input } of apart) {
    const known = variances[place] ?? 0;
    variances[place] = known * (1 - (input * input * known) / total);
  }
  return loss;
}
