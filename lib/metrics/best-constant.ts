import { columnOf } from '../arithmetic.ts';
import type { Floats } from '../features/samples.ts';
import { labelWidth, outputCount } from '../features/task.ts';
import type { Spec } from '../spec/spec.ts';
import type { Labelled } from './outcomes.ts';
import { meanLoss, score } from './scores.ts';

/** What one says best who says the same of all samples, [outputs], and its mean loss. */
export type BestConstant = { readonly values: Float64Array; readonly loss: number };

/**
 * The best constant prediction: the mean, the median or the quantile of the labels, or the share of
 * each class. A model whose loss is higher has learnt nothing.
 */
export function bestConstant(spec: Spec, samples: Labelled): BestConstant {
  const { labels, weights } = samples;
  const outputs = outputCount(spec.label);
  const width = labelWidth(spec.label);
  const mean = new Float64Array(outputs);
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  labels.forEach((label, i) => {
    const share = (weights[Math.floor(i / width)] ?? 0) / total;
    const isValue = outputs === width;
    const place = isValue ? i % width : label;
    if (place < 0) return;
    mean[place] = (mean[place] ?? 0) + share * (isValue ? label : 1);
  });
  const constants = spec.task === 'regression' ? [mean, middlesOf(spec, labels)] : [mean];
  const all = constants.map((values): BestConstant => {
    const predictions = new Float64Array(weights.length * outputs);
    for (let row = 0; row < weights.length; row++) predictions.set(values, row * outputs);
    return { values, loss: meanLoss(score(spec, predictions, samples)) };
  });
  return all.reduce((best, each) => (each.loss < best.loss ? each : best));
}

/** The median of a regression's labels, or the quantile that it predicts; of each output. */
function middlesOf({ loss, label }: Spec, labels: Floats): Float64Array {
  const width = labelWidth(label);
  const { quantile = 0.5 } = typeof loss === 'object' ? loss : {};
  return Float64Array.from({ length: width }, (_, output) => {
    const sorted = columnOf(labels, width, output).slice().sort();
    return sorted[Math.floor(quantile * sorted.length)] ?? 0;
  });
}
