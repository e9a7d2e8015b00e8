import { shuffledOrder } from '../datasets/order.ts';
import { classWeightsOf, type KnownClasses, weighed } from '../features/class-weights.ts';
import { hashIntegers } from '../features/hash.ts';
import type { EncodedSamples, Floats } from '../features/samples.ts';
import type { Spec } from '../spec/spec.ts';

/** The rows of a window in the order of an epoch, each as often as it is learnt. */
export type EpochRows = { readonly samples: EncodedSamples; readonly order: Int32Array };

/**
 * The rows of a window as an epoch learns them: each once, weighed as its class; or, where classes
 * are balanced by sampling, as often as its class weighs.
 *
 * @param key the epoch, and the window's first shard
 */
export function rowsOfEpoch(
  spec: Spec,
  samples: EncodedSamples,
  statistics: KnownClasses,
  key: readonly number[],
): EpochRows {
  const classWeights = classWeightsOf(spec, statistics);
  if (spec.batch.sampling !== 'balanced' || classWeights === undefined)
    return {
      samples: weighed(samples, spec, statistics),
      order: shuffledOrder(samples.count, spec.seed, ...key),
    };
  const drawn = drawnRows(samples.labels, classWeights, [spec.seed, ...key]);
  const order = shuffledOrder(drawn.length, spec.seed, ...key).map((place) => drawn[place] ?? 0);
  return { samples, order };
}

/**
 * Each row as often as its class weighs: that many whole times, and once more with the probability
 * that is left.
 */
export function drawnRows(
  labels: Floats,
  classWeights: Float64Array,
  key: readonly number[],
): Int32Array {
  const times = Int32Array.from(labels, (label, row) => {
    const weight = classWeights[label] ?? 1;
    const whole = Math.floor(weight);
    const draw = hashIntegers(...key, row, samplingStream) / 2 ** 32;
    return whole + Number(draw < weight - whole);
  });
  const rows = new Int32Array(times.reduce((sum, count) => sum + count, 0));
  let place = 0;
  times.forEach((count, row) => {
    rows.fill(row, place, place + count);
    place += count;
  });
  return rows;
}

/** A constant that keeps the draws independent of the shuffles. */
const samplingStream = 0xba1a;
