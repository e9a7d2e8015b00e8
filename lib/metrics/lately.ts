import * as z from 'zod';
import { decayOf, wholePower } from '../arithmetic.ts';
import type { Floats } from '../features/samples.ts';
import { classCount, labelWidth } from '../features/task.ts';
import type { Spec } from '../spec/spec.ts';
import { isRight, lossOfConstant, type Scores } from './scores.ts';

const earned = z.strictObject({ loss: z.number(), correct: z.number() });
/** Sums of what predictions earned: Σ weight · loss, and Σ weight of what was right. */
export type Earned = z.output<typeof earned>;

/** Of {@link Lately}, as it is stored. */
export const latelySchema = z.strictObject({
  weight: z.number(),
  model: earned,
  prior: earned,
  lastLabel: earned,
  /** Of the whole stream. */
  lastLabelSoFar: earned,
  /** Of the last sample; absent before the first. */
  label: z.number().optional(),
  /** The same of each of several outputs. */
  labels: z.array(z.number()).optional(),
});

/**
 * What was earned lately: sums in which a sample counts half as much after each
 * {@link latelySamples} (Gama, Sebastião, Rodrigues 2013, fading factors), of the model and of two
 * that anybody has for nothing: the labels' mean or shares, and the label of the sample before the
 * message, which is hard to beat where labels come in runs (Žliobaitė and others 2015).
 */
export type Lately = Readonly<z.output<typeof latelySchema>>;

/** After so many samples, one counts half. */
export const latelySamples = 1_000;

/** Before the first sample. */
export function emptyLately(): Lately {
  const none = { loss: 0, correct: 0 };
  return { weight: 0, model: none, prior: none, lastLabel: none, lastLabelSoFar: none };
}

/** A message: what was earned on it, and its labels in their order. */
export type ScoredMessage = {
  readonly model: Pick<Scores, 'samples' | 'weight' | 'loss' | 'correct'>;
  /** Of the labels' mean or shares. */
  readonly prior: Earned;
  readonly labels: Floats;
  readonly weights: Float32Array;
};

/** The same after one more message, all of which was predicted before any of it was known. */
export function latelyAfter(spec: Spec, before: Lately, message: ScoredMessage): Lately {
  const { model, prior, labels } = message;
  const fading = wholePower(decayOf(latelySamples), model.samples);
  const lastLabel = earnedByLastLabel(spec, before, message);
  const last = labels.length > 0 ? [...labels.slice(-labelWidth(spec.label))] : lastOf(before);
  return {
    weight: fading * before.weight + model.weight,
    model: plus(model, before.model, fading),
    prior: plus(prior, before.prior, fading),
    lastLabel: plus(lastLabel, before.lastLabel, fading),
    lastLabelSoFar: plus(lastLabel, before.lastLabelSoFar, 1),
    ...(last.length > 1 ? { labels: last } : last.length > 0 ? { label: last[0] } : {}),
  };
}

/** The numbers of the last label; none before the first. */
function lastOf({ label, labels = label === undefined ? [] : [label] }: Lately): number[] {
  return labels;
}

function plus(own: Earned, before: Earned, fading: number): Earned {
  return {
    loss: fading * before.loss + own.loss,
    correct: fading * before.correct + own.correct,
  };
}

/** What somebody earns who says the last label again; of classes that has no loss. */
function earnedByLastLabel(spec: Spec, before: Lately, message: ScoredMessage): Earned {
  const predictions = lastLabelPrediction(spec, before);
  if (predictions === undefined) return { loss: 0, correct: 0 };
  if (spec.task === 'regression')
    return { loss: lossOfConstant(spec, predictions, message), correct: 0 };
  const prediction = { predictions, row: 0, outputs: predictions.length };
  let correct = 0;
  message.labels.forEach((own, row) => {
    if (isRight(spec, prediction, own)) correct += message.weights[row] ?? 0;
  });
  return { loss: 0, correct };
}

/**
 * The last label as a prediction, [outputs]. Before the first it is 0 in a regression; of classes
 * there is none.
 */
export function lastLabelPrediction(spec: Spec, lately: Lately): Float64Array | undefined {
  const { label } = lately;
  if (spec.task === 'regression') {
    const values = new Float64Array(labelWidth(spec.label));
    values.set(lastOf(lately));
    return values;
  }
  if (label === undefined) return undefined;
  const classes = classCount(spec.label);
  if (classes === undefined) return Float64Array.of(label);
  return new Float64Array(classes).fill(1, label, label + 1);
}
