import { columnOf } from '../arithmetic.ts';
import { labelWidth, outputCount } from '../features/task.ts';
import type { Spec } from '../spec/spec.ts';
import { lossOfSaid, saidConstant } from './rival-sums.ts';
import type { Labelled } from './scores.ts';

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
  // (Shares that are added up may come to a little more than all.)
  if (spec.task !== 'regression')
    mean.forEach((share, i) => {
      mean[i] = Math.min(share, 1);
    });
  const constants = spec.task === 'regression' ? [mean, middlesOf(spec, samples)] : [mean];
  const all = constants.map((values) => ({
    values,
    loss: lossOfSaid(spec, samples, saidConstant(spec, values)) / total,
  }));
  return all.reduce((best, each) => (each.loss < best.loss ? each : best));
}

/** The median of a regression's labels by weight, or the quantile that it predicts; of each output. */
function middlesOf({ loss, label }: Spec, { labels, weights }: Labelled): Float64Array {
  const width = labelWidth(label);
  const { quantile = 0.5 } = typeof loss === 'object' ? loss : {};
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  return Float64Array.from({ length: width }, (_, output) => {
    const own = columnOf(labels, width, output);
    const order = Array.from(own.keys()).sort((a, b) => (own[a] ?? 0) - (own[b] ?? 0));
    let below = 0;
    const middle = order.find((row) => {
      below += weights[row] ?? 0;
      return below > quantile * total;
    });
    return own[middle ?? order.at(-1) ?? 0] ?? 0;
  });
}
