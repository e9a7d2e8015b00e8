import type { EncodedSamples, Floats } from '../features/samples.ts';
import { forgetful } from '../features/statistics.ts';
import { windowAfter } from '../metrics/adwin.ts';
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
  const { losses, ...moments } = boundedLosses(spec, before, samples.labels, predictions);
  const { window, rises } = windowAfter(before.window, losses, confidence);
  if (rises === 0) return { ...parameters, drift: { ...before, ...moments, window } };
  const drift = { ...moments, window, found: before.found + 1, last: window.seen };
  return { ...(policy === 'adapt' ? readyForOther(model, parameters) : parameters), drift };
}

/**
 * What each sample lost, from 0 to 1: how improbable its class was said to be; of a regression, its
 * error beside the deviation of the labels before it, e / (e + σ).
 */
function boundedLosses(
  { task, label: { classes } }: Spec,
  { window: { seen }, labelMean, labelSquares }: Drift,
  labels: Floats,
  predictions: Floats,
): Pick<Drift, 'labelMean' | 'labelSquares'> & { readonly losses: Float64Array } {
  const outputs = classes?.length ?? 1;
  let [mean, squares] = [labelMean, labelSquares];
  const losses = Float64Array.from(labels, (label, row) => {
    const predicted = predictions[row * outputs + (outputs > 1 ? label : 0)] ?? 0;
    if (task !== 'regression') return outputs > 1 || label === 1 ? 1 - predicted : predicted;
    const before = seen + row;
    const deviation = Math.sqrt(squares / Math.max(before, 1));
    const distance = label - mean;
    mean += distance / (before + 1);
    squares += distance * (label - mean);
    const error = Math.abs(predicted - label);
    return error === 0 ? 0 : error / (error + deviation);
  });
  return { losses, labelMean: mean, labelSquares: squares };
}

/** Samples that what was learnt of numbers and labels counts as, once the world has changed. */
const keptSamples = 50;

/**
 * Parameters that keep what they predict, and learn as fast as in the beginning: the optimizer
 * starts anew, statistics weigh little, and no sample of the world before is learnt again.
 */
function readyForOther(
  { initial, encoder: { layout } }: Model,
  { tensors, statistics, replay, ...parameters }: Parameters,
): Parameters {
  const isSlot = (name: string) => name.startsWith('optimizer/');
  const fresh = Object.entries(initial.tensors).filter(([name]) => isSlot(name));
  return {
    ...parameters,
    tensors: { ...tensors, ...Object.fromEntries(fresh) },
    statistics: forgetful(statistics, keptSamples),
    ...(replay && { replay: emptyReplay(layout) }),
  };
}
