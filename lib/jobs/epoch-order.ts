import type { PreparedDataset } from '../datasets/manifest.ts';
import { shuffledOrder } from '../datasets/order.ts';
import { allRows, type StoredRows } from '../datasets/shard-file.ts';
import { classWeightsOf, type KnownClasses } from '../features/class-weights.ts';
import { inOrderOf, namesOfClasses, placed } from '../features/classes.ts';
import { hashIntegers } from '../features/hash.ts';
import type { EncodedSamples, Floats, Layout } from '../features/samples.ts';
import { weighedToLearn } from '../model/answer-weights.ts';
import type { Spec } from '../spec/spec.ts';

/** What is known of classes, and how much each weighs among the rows of the dataset. */
type Known = { readonly statistics: KnownClasses; readonly rows: Float64Array };

/**
 * The rows of a window in the order in which an epoch learns them: each once; or, where classes are
 * balanced by sampling, as often as its class weighs.
 *
 * @param key the epoch, and the window's first shard
 */
export function orderOfEpoch(
  spec: Spec,
  window: StoredRows,
  { statistics, rows }: Known,
  { layout, key }: { readonly layout: Layout; readonly key: readonly number[] },
): Int32Array {
  const classWeights = sampledClassWeights(spec, statistics);
  if (classWeights === undefined) return shuffledOrder(window.count, spec.seed, ...key);
  const { labels } = placed(allRows(window), statistics, layout);
  const drawn = drawnRows(labels, timesOf(classWeights, rows), [spec.seed, ...key]);
  return shuffledOrder(drawn.length, spec.seed, ...key).map((place) => drawn[place] ?? 0);
}

/**
 * Rows as an epoch learns them: weighed as their class, unless sampling has balanced those, or
 * answers are weighed.
 */
export function weighedForEpoch(
  spec: Spec,
  samples: EncodedSamples,
  statistics: KnownClasses,
): EncodedSamples {
  const isSampled = sampledClassWeights(spec, statistics) !== undefined;
  return isSampled ? samples : weighedToLearn(samples, spec, statistics);
}

/** What classes weigh where they are balanced by sampling. */
function sampledClassWeights(spec: Spec, statistics: KnownClasses): Float64Array | undefined {
  return spec.batch.sampling === 'balanced' ? classWeightsOf(spec, statistics) : undefined;
}

/** How often rows of each class are drawn, so that an epoch has as many as the dataset. */
function timesOf(classWeights: Float64Array, rows: Float64Array): Float64Array {
  let [all, drawn] = [0, 0];
  rows.forEach((count, at) => {
    all += count;
    drawn += count * (classWeights[at] ?? 1);
  });
  return drawn > 0 ? classWeights.map((weight) => (weight * all) / drawn) : classWeights;
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
    // (All rows of a single class once each, whatever the rounding.)
    const whole = Math.floor(weight + 1e-9);
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

/** How much each class weighs among the rows of a dataset, in the order of known ones. */
export function classesOfRows(
  { statistics: own }: Pick<PreparedDataset, 'statistics'>,
  known: KnownClasses,
  layout: Layout,
): Float64Array {
  const counts = own.classes ?? new Float64Array();
  const [before, after] = [own, known].map((each) => namesOfClasses(layout, each));
  return before && after ? inOrderOf(counts, before, after) : counts;
}
