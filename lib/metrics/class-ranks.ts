import { addArrays } from '../arithmetic.ts';
import type { Floats } from '../features/samples.ts';
import { classCount, outputCount } from '../features/task.ts';
import type { Spec } from '../spec/spec.ts';
import { type AreaFigures, areaFigures, binOf, type Labelled } from './scores.ts';

/**
 * Of a stream of several classes, Σ weight of the samples by the log-odds that were predicted of
 * each class: of those that are of it, and of the others; [classes, 2, bins]. `lately` a sample
 * counts half after a thousand others.
 */
export type ClassRanks = { readonly soFar: Float64Array; readonly lately: Float64Array };

const streamBins = 128;
/** Of more classes it would be more than what is learnt. */
const mostClasses = 32;

/** The ranks of no predictions; undefined where they are not kept. */
export function emptyClassRanks({ task, label, revision = 0 }: Spec): ClassRanks | undefined {
  const classes = classCount(label) ?? 0;
  if (task !== 'multiclass' || revision < 11 || classes > mostClasses) return undefined;
  const empty = new Float64Array(classes * 2 * streamBins);
  return { soFar: empty, lately: empty };
}

/** Those of some predictions, [count, outputs]. */
export function ranksOfClasses(
  { label: declared }: Spec,
  predictions: Floats,
  samples: Labelled,
): Float64Array {
  const outputs = outputCount(declared);
  const ranks = new Float64Array(outputs * 2 * streamBins);
  addRanks(ranks, predictions, samples, { outputs, classes: outputs, bins: streamBins });
  return ranks;
}

/** Adds some predictions, [count, outputs], to the ranks of the first `classes` of them. */
export function addRanks(
  ranks: Float64Array,
  predictions: Floats,
  { labels, weights }: Labelled,
  { outputs, classes, bins }: Readonly<Record<'outputs' | 'classes' | 'bins', number>>,
): void {
  labels.forEach((label, row) => {
    const weight = weights[row] ?? 0;
    for (let place = 0; place < classes; place++) {
      const bin = binOf(predictions[row * outputs + place] ?? 0, bins);
      const at = (2 * place + Number(label !== place)) * bins + bin;
      ranks[at] = (ranks[at] ?? 0) + weight;
    }
  });
}

/** Ranks after some more. @param fading what is left of the last ones meanwhile */
export function classRanksAfter(
  { soFar, lately }: ClassRanks,
  own: Float64Array,
  fading: number,
): ClassRanks {
  return { soFar: addArrays(soFar, own), lately: addArrays(lately, own, fading) };
}

/**
 * The mean area under the curves of each class against all others (Fawcett 2006, without weights),
 * of the classes that have labels of both kinds; nothing unless there are some.
 */
export function areaOfClasses(ranks: Float64Array, bins = streamBins): AreaFigures {
  const curves: Required<AreaFigures>[] = [];
  for (let start = 0; start < ranks.length; start += 2 * bins) {
    const positives = ranks.subarray(start, start + bins);
    const negatives = ranks.subarray(start + bins, start + 2 * bins);
    const { areaUnderCurve, areaError } = areaFigures({ positives, negatives });
    if (areaUnderCurve !== undefined && areaError !== undefined)
      curves.push({ areaUnderCurve, areaError });
  }
  if (curves.length === 0) return {};
  const mean = (part: keyof AreaFigures) =>
    curves.reduce((sum, curve) => sum + curve[part], 0) / curves.length;
  return { areaUnderCurve: mean('areaUnderCurve'), areaError: mean('areaError') };
}

/**
 * Ranks of classes that stand at other places now. Where one lost its place nothing is left: what
 * was said of the others is not known without it.
 */
export function movedClassRanks(
  ranks: ClassRanks,
  before: readonly string[],
  after: readonly string[],
): ClassRanks {
  const places = before.map((name) => after.indexOf(name));
  const isLost = places.some((place) => place < 0);
  const moved = (own: Float64Array) => {
    const now = new Float64Array(own.length);
    if (isLost) return now;
    const size = 2 * streamBins;
    for (const [place, to] of places.entries())
      now.set(own.subarray(place * size, (place + 1) * size), to * size);
    return now;
  };
  return { soFar: moved(ranks.soFar), lately: moved(ranks.lately) };
}
