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
  /** Of each row of all tables: they are taken for independent. */
  readonly variances: Float32Array;
  /** The dense inputs, and covariance · row. */
  readonly row: Float64Array;
  readonly gain: Float64Array;
  readonly answer: Float64Array;
};

/**
 * A network without hidden layers that learns each sample once, by how sure it is of each weight
 * and of each pair: recursive least squares of a regression, and of classes the extended Kalman
 * filter of their log-odds, with one covariance for all outputs. It needs no rate. Rows of tables
 * are taken for independent of all else. Its answers are those of the network.
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
    work: { ...compiled.work, learnt: workOfPair * (covariance?.data.length ?? 0) },
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
  { periodic, pieces, products, tables }: LinearInputs,
  scaled: { readonly labels: number; readonly numbers: number },
  priors: Float64Array,
): Tensors {
  const covariance = independent([
    prior.bias,
    ...priors,
    ...[periodic, pieces, products].flatMap((count) =>
      Array.from({ length: count }, () => prior.derived / count),
    ),
  ]);
  const rows = tables.reduce((sum, table) => sum + table.rows, 0);
  return {
    [covarianceName]: { shape: [covariance.length], data: covariance },
    ...(rows > 0 && {
      [variancesName]: { shape: [rows], data: new Float32Array(rows).fill(prior.row) },
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
  return {
    spec: { task, revision },
    inputs,
    derived: derivedInputsOf(tensors),
    outputs: bias.length,
    kernel: own(kernelName),
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

/** Learns a sample in place. @returns its loss before */
function learnRow(learning: Learning, samples: EncodedSamples, row: number): number {
  const { spec, inputs, outputs, row: values, gain, answer, derived } = learning;
  const { kernel, bias, tables, covariance, variances } = learning;
  const { numbers, categories } = inputs;
  writeLinearInputs(derived, samples.numbers.subarray(row * numbers, (row + 1) * numbers), values);
  const places = inputs.tables.map(
    ({ categoryOffset }) => samples.categories[row * categories + categoryOffset] ?? 0,
  );
  // Rows of the kernel, but for those of what categories are embedded as.
  const skipped = kernel.length / outputs - (values.length - 1);
  const kernelAt = (i: number) => (i - 1 + (i > numbers ? skipped : 0)) * outputs;
  for (let output = 0; output < outputs; output++) {
    let sum = bias[output] ?? 0;
    for (let i = 1; i < values.length; i++)
      sum += (values[i] ?? 0) * (kernel[kernelAt(i) + output] ?? 0);
    places.forEach((place, t) => {
      sum += tables[t]?.[place * outputs + output] ?? 0;
    });
    answer[output] = sum;
  }
  const { loss, information, shares } = judge(spec, answer, samples, row);
  const rows = inputs.tables.map(({ first }, t) => first + (places[t] ?? 0));
  const open = rows.reduce((sum, at) => sum + (variances[at] ?? 0), 0);
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
      const at = kernelAt(i) + output;
      kernel[at] = (kernel[at] ?? 0) + step * (gain[i] ?? 0);
    }
    places.forEach((place, t) => {
      const [table, at] = [tables[t], place * outputs + output];
      if (table !== undefined) table[at] = (table[at] ?? 0) + step * (variances[rows[t] ?? 0] ?? 0);
    });
  }
  for (const at of rows) variances[at] = (variances[at] ?? 0) * (1 - (variances[at] ?? 0) / total);
  return loss;
}
