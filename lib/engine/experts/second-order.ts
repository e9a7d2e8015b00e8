import type { EncodedSamples } from '../../features/samples.ts';
import type { ColumnScales, LabelScale } from '../../features/scaling.ts';
import type { Task } from '../../features/task.ts';
import type { Spec } from '../../spec/spec.ts';
import type { CompiledModel, EngineState, Run, Tensor, Tensors, Trained } from '../engine.ts';
import { rowsInOrder } from '../run.ts';
import { judge, shareOfStep } from './answer-information.ts';
import { independent, measure, restate } from './covariance.ts';
import {
  type DerivedInputs,
  derivedInputsOf,
  type LinearInputs,
  linearInputsOf,
  writeLinearInputs,
} from './linear-inputs.ts';

const [kernelName, biasName] = ['weights/output/kernel', 'weights/output/bias'] as const;
const [covarianceName, variancesName, scaleName] = [
  'optimizer/covariance',
  'optimizer/variances',
  'optimizer/label_scale',
] as const;
const numberScaleName = 'optimizer/number_scale';

/** What is known of a weight before the first sample, in units of the noise of a sample. */
const prior = { bias: 10, number: 1, row: 1, derived: 8 };

/** Numbers that say how the labels of an output, or a column of numbers, are scaled. */
const scaleWidth = 4;

/** The weights of a state that learn, copied, and room for what is computed of a sample. */
type Learning = {
  readonly task: Task;
  readonly inputs: LinearInputs;
  readonly derived: DerivedInputs;
  readonly outputs: number;
  /** [rows, outputs], those of numbers first, those of what is derived from them last. */
  readonly kernel: Float32Array;
  readonly bias: Float32Array;
  /** Of the bias, the numbers and what is derived from them, in this order. */
  readonly covariance: Float32Array;
  readonly tables: readonly Float32Array[];
  /** Of each row of all tables: they are taken for independent. */
  readonly variances: Float32Array;
  /** Of each output the mean of labels and what float32 leaves of it, and their deviation alike. */
  readonly scale: Float32Array | undefined;
  /** The same of each number, with its scale in the deviation's place. */
  readonly numberScale: Float32Array | undefined;
  /** How many times its deviation a number's next one may be for what is known of it to stay. */
  readonly mostRatio: number;
  /** [1 + numbers + periodic + pieces], and covariance · row. */
  readonly row: Float64Array;
  readonly gain: Float64Array;
  readonly answer: Float64Array;
};

/** Whether a tensor says how labels or numbers were scaled when weights were learnt. */
export function isScale(name: string): boolean {
  return [scaleName, numberScaleName].some((each) => name.endsWith(each.slice('optimizer'.length)));
}

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
  const first = firstTensors(inputs, { labels, numbers: follows ? inputs.numbers : 0 });
  return {
    ...compiled,
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

/** What it knows of its weights before the first sample. @param scaled how many have a scale */
function firstTensors(
  { numbers, periodic, pieces, tables }: LinearInputs,
  scaled: { readonly labels: number; readonly numbers: number },
): Tensors {
  const covariance = independent([
    prior.bias,
    ...Array.from({ length: numbers }, () => prior.number),
    ...[periodic, pieces].flatMap((count) =>
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

function noScales(count: number): Tensor {
  return { shape: [count, scaleWidth], data: new Float32Array(scaleWidth * count) };
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
  const width = 1 + inputs.numbers + inputs.periodic + inputs.pieces;
  return {
    task,
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

/**
 * Says the same in labels that are standardised by another mean and deviation.
 *
 * @returns whether labels have varied, so that there is something to learn
 */
function rescale(learning: Learning, scale: LabelScale | undefined): boolean {
  const { scale: known, outputs, kernel, bias, tables } = learning;
  if (known === undefined || scale === undefined) return true;
  scale.outputs.forEach(({ mean, deviation }, output) => {
    const own = known.subarray(scaleWidth * output, scaleWidth * (output + 1));
    const [high = 0, low = 0, large = 0, small = 0] = own;
    if (!(deviation > 0)) return;
    own.set([mean, mean - Math.fround(mean), deviation, deviation - Math.fround(deviation)]);
    const before = large + small;
    // (What came without its scale, such as weights of another model, is taken as it is.)
    if (before === 0) return;
    const ratio = before / deviation;
    const shift = (high - mean + low) / deviation;
    if (ratio === 1 && shift === 0) return;
    for (const weights of [kernel, ...tables])
      for (let i = output; i < weights.length; i += outputs) weights[i] = ratio * (weights[i] ?? 0);
    bias[output] = ratio * (bias[output] ?? 0) + shift;
  });
  return scale.outputs.some(({ deviation }) => deviation > 0);
}

/** Says the same of numbers that are standardised by other means and scales. */
function restateNumbers(learning: Learning, now: ColumnScales | undefined): void {
  const {
    numberScale: known,
    mostRatio,
    inputs,
    outputs,
    kernel,
    bias,
    covariance,
    row,
  } = learning;
  if (known === undefined || now === undefined) return;
  const ratios = new Float64Array(row.length).fill(1);
  const shifts = new Float64Array(row.length);
  for (let i = 0; i < inputs.numbers; i++) {
    const own = known.subarray(scaleWidth * i, scaleWidth * (i + 1));
    const [high = 0, low = 0, large = 0, small = 0] = own;
    const [mean, scale] = [now.mean[i] ?? 0, now.scale[i] ?? 0];
    if (!(scale > 0)) continue;
    own.set([mean, mean - Math.fround(mean), scale, scale - Math.fround(scale)]);
    const before = large + small;
    const isAsItWas = own[0] === high && own[1] === low && own[2] === large && own[3] === small;
    // (While a number has not varied, nothing is known of it. And where all that came is next to
    // nothing beside the newest value, float32 would keep the rounding and not what is known.)
    if (isAsItWas || before === 0 || before / scale > mostRatio) continue;
    ratios[i + 1] = before / scale;
    shifts[i + 1] = (mean - high - low) * before;
  }
  const isSame = ratios.every((ratio) => ratio === 1) && shifts.every((shift) => shift === 0);
  if (isSame) return;
  const weights = kernel.slice(0, inputs.numbers * outputs);
  const sums = bias.slice();
  weights.forEach((weight, at) => {
    const [i, output] = [Math.floor(at / outputs) + 1, at % outputs];
    sums[output] = (sums[output] ?? 0) + weight * (shifts[i] ?? 0);
    weights[at] = weight * (ratios[i] ?? 1);
  });
  // (What float32 cannot hold stays as it was, as if the numbers had changed.)
  const areFinite = weights.every(Number.isFinite) && sums.every(Number.isFinite);
  if (!areFinite || !restate(covariance, ratios, shifts)) return;
  kernel.set(weights);
  bias.set(sums);
}

/** Learns a sample in place. @returns its loss before */
function learnRow(learning: Learning, samples: EncodedSamples, row: number): number {
  const { task, inputs, outputs, row: values, gain, answer, derived } = learning;
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
  const { loss, information, shares } = judge(task, answer, samples, row);
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
