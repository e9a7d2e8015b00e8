import { meansOfRows } from '../arithmetic.ts';
import { isScale } from '../engine/experts/scaled-weights.ts';
import { classWeightsOf } from '../features/class-weights.ts';
import type { EncodedSamples, Floats } from '../features/samples.ts';
import { forgetful } from '../features/statistics.ts';
import { outputCount } from '../features/task.ts';
import { windowAfter } from '../metrics/adwin.ts';
import { noNumbers, testedBy } from '../metrics/page-hinkley.ts';
import { isAverage } from '../network/weight-names.ts';
import type { Spec } from '../spec/spec.ts';
import type { Drift } from '../state/drift.ts';
import { emptyReplay } from '../state/replay.ts';
import type { Parameters } from '../state/state.ts';
import type { Model } from './model.ts';

/**
 * The parameters once it is known how well a message was predicted, before any of it is learnt:
 * where the loss has risen by more than chance, they are made ready to learn anew.
 *
 * @param predictions of the samples, [count, outputs]
 */
export function withDrift(
  model: Model,
  parameters: Parameters,
  samples: EncodedSamples,
  predictions: Floats,
): Parameters {
  const { spec } = model;
  const { drift: before } = parameters;
  if (before === undefined || spec.online.drift === undefined) return parameters;
  const { confidence, policy } = spec.online.drift;
  const classWeights = classWeightsOf(spec, parameters.statistics);
  const { labels } = samples;
  const said = { spec, labels, predictions, classWeights };
  const { losses, ...moments } = boundedLosses(before, said);
  const bounds = spec.online.drift.pageHinkley;
  const adaptive = windowAfter(before.window, losses, confidence);
  const tested = bounds && testedBy(before.pageHinkley ?? noNumbers, losses, bounds);
  const { rises } = tested ?? adaptive;
  const { window } = adaptive;
  const known = { ...moments, window, ...(tested && { pageHinkley: tested.test }) };
  if (rises === 0) return { ...parameters, drift: { ...before, ...known } };
  const drift = { ...known, found: before.found + 1, last: window.seen };
  return { ...changed[policy](model, parameters), drift };
}

/**
 * What the rates are multiplied by while a message is learnt: more than 1 for a while after the
 * stream has changed, if the spec says so.
 *
 * @param drift as it is once the message is predicted
 * @param samples of the message
 */
export function raiseOf({ online }: Spec, drift: Drift | undefined, samples: number): number {
  const { raise } = online.drift ?? {};
  if (raise === undefined || drift === undefined || drift.found === 0) return 1;
  const since = drift.window.seen - samples - drift.last;
  return since < raise.samples ? raise.factor : 1;
}

/** What was predicted of a message, and what was right. */
type Said = {
  readonly spec: Spec;
  readonly labels: Floats;
  readonly predictions: Floats;
  readonly classWeights: Float64Array | undefined;
};

/** The usual distance of labels from their mean is that of about so many samples. */
const labelSamples = 500;
/** No label is taken to be further from the mean than so many usual distances. */
const furthest = 4;
/** Labels before which nothing is known of what is usual. */
const fewLabels = 10;

/**
 * What each sample lost, from 0 to 1: how improbable its class was said to be, for what the class
 * weighs beside the heaviest; of a regression, its error beside the usual distance of the labels
 * before it, e / (e + d).
 */
function boundedLosses(
  before: Drift,
  { spec, labels, predictions, classWeights = Float64Array.of() }: Said,
): Pick<Drift, 'labels'> & { readonly losses: Float64Array } {
  if (spec.task === 'regression') return boundedErrors(before, { labels, predictions });
  const outputs = outputCount(spec.label);
  const heaviest = classWeights.reduce((most, weight) => Math.max(most, weight), 0);
  const losses = Float64Array.from(labels, (label, row) => {
    const predicted = predictions[row * outputs + (outputs > 1 ? label : 0)] ?? 0;
    const share = heaviest > 0 ? (classWeights[label] ?? 0) / heaviest : 1;
    return share * (outputs > 1 || label === 1 ? 1 - predicted : predicted);
  });
  return { losses, labels: before.labels };
}

/** The same of a regression; of several outputs the mean of theirs. */
function boundedErrors(
  { window: { seen }, labels: before }: Drift,
  { labels, predictions }: Pick<Said, 'labels' | 'predictions'>,
): Pick<Drift, 'labels'> & { readonly losses: Float64Array } {
  const lately = before.map((own) => ({ ...own }));
  const width = lately.length;
  const losses = Float64Array.from(labels, (label, i) => {
    const own = lately[i % width] ?? { mean: 0, distance: 0 };
    const row = Math.floor(i / width);
    const usual = own.distance;
    const most =
      seen + row < fewLabels || usual === 0 ? Number.POSITIVE_INFINITY : furthest * usual;
    const beyond = Math.min(Math.max(label - own.mean, -most), most);
    const share = 1 / Math.min(seen + row + 1, labelSamples);
    own.mean += share * beyond;
    own.distance += share * (Math.abs(beyond) - usual);
    const error = Math.abs((predictions[i] ?? 0) - label);
    return error === 0 ? 0 : error / (error + usual);
  });
  return { losses: meansOfRows(losses, width), labels: lately };
}

/** Samples that what was learnt of numbers and labels counts as, once the world has changed. */
const keptSamples = 50;

/** What becomes of parameters where the stream has changed, by the policy of their spec. */
const changed: Record<
  NonNullable<Spec['online']['drift']>['policy'],
  (model: Model, parameters: Parameters) => Parameters
> = {
  alarm: (_, parameters) => parameters,
  forget: forgotten,
  adapt: (model, parameters) => restarted(model, forgotten(model, parameters)),
};

/** Statistics that weigh little; and no sample of the world before is learnt again. */
function forgotten(
  { encoder: { layout } }: Model,
  { statistics, replay, ...parameters }: Parameters,
): Parameters {
  return {
    ...parameters,
    statistics: forgetful(statistics, layout, keptSamples),
    ...(replay && { replay: emptyReplay(layout) }),
  };
}

/**
 * Parameters that keep what they predict, and learn as fast as in the beginning: an optimizer whose
 * steps become ever smaller starts anew, and so does a schedule.
 */
function restarted(
  { spec, initial }: Model,
  { tensors, step, ...parameters }: Parameters,
): Parameters {
  const { type } = spec.optimizer;
  // Others forget by themselves, and are faster by what they know of gradients that were small.
  const slows = type === 'adagrad' || type === 'ftrl';
  // (Weights that stay are of labels and numbers as they were scaled.)
  const isKept = (name: string) => (spec.revision ?? 0) >= 15 && isScale(name);
  // (What answers is not to lag behind in the world before.)
  const isFresh = (name: string) =>
    isAverage(name) || (slows && name.startsWith('optimizer/') && !isKept(name));
  const slots = Object.entries(initial.tensors).filter(([name]) => isFresh(name));
  // (These correct by it what their slots lack.)
  const countsSteps = type === 'adam' || type === 'adamax';
  return {
    ...parameters,
    step: countsSteps ? step : initial.step,
    tensors: { ...tensors, ...Object.fromEntries(slots) },
  };
}
