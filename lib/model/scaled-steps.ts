import type { Run } from '../engine/engine.ts';
import { rateFactor } from '../features/norm.ts';
import { type EncodedSamples, sliceSamples } from '../features/samples.ts';
import {
  type ColumnScales,
  type LabelScale,
  labelScaleOf,
  standardize,
  standardizeLabels,
  steadyScales,
} from '../features/scaling.ts';
import { type FeatureStatistics, mergeStatistics, statisticsOf } from '../features/statistics.ts';
import { asksForScales } from '../spec/default-experts.ts';
import type { Rehearsal } from '../state/replay.ts';
import type { Model } from './model.ts';

/** New samples, and perhaps old ones beside each minibatch of them. */
export type Steps = Pick<Rehearsal, 'factor' | 'samples'> & { readonly fresh?: Int32Array };

/**
 * Samples as a network sees them, minibatch by minibatch: each by the statistics that have seen its
 * new samples.
 */
export function scaledSteps(
  { spec, encoder: { layout }, scaling }: Model,
  before: FeatureStatistics,
  block: EncodedSamples,
  { factor, samples: all }: Steps,
): {
  readonly seen: EncodedSamples;
  readonly statistics: FeatureStatistics;
  /** What the rate of each step is multiplied by. */
  readonly factors: readonly number[];
  /** How the labels of each step are standardised. */
  readonly scales: readonly (LabelScale | undefined)[];
  /** And its numbers, where an expert wants to know. */
  readonly numberScales: readonly ColumnScales[];
} {
  const { minibatch } = spec.online;
  let statistics = before;
  const factors: number[] = [];
  const scales: (LabelScale | undefined)[] = [];
  const numberScales: ColumnScales[] = [];
  const isFollowed = asksForScales(spec);
  const labels = new Float32Array(all.labels.length);
  const parts: EncodedSamples[] = [];
  for (let start = 0; start < block.count; start += minibatch) {
    const fresh = sliceSamples(block, start, start + minibatch, layout);
    statistics = mergeStatistics(statistics, statisticsOf(fresh, layout), layout);
    factors.push(rateFactor(statistics, scaling));
    const part = sliceSamples(all, start * factor, (start + minibatch) * factor, layout);
    parts.push(standardize(part, statistics, scaling));
    const scale = labelScaleOf(statistics, layout);
    scales.push(scale);
    if (isFollowed) numberScales.push(steadyScales(statistics, scaling));
    labels.set(standardizeLabels(part.labels, scale), start * factor * (layout.labelWidth ?? 1));
  }
  const seen = { ...all, ...joinedNumbers(parts, all.raw.length), labels };
  return { seen, statistics, factors, scales, numberScales };
}

/** How steps are scaled by statistics that do not change under them. */
export function fixedScales(
  { spec, encoder: { layout }, scaling }: Model,
  statistics: FeatureStatistics,
): Required<Pick<Run, 'factorAt' | 'labelScaleAt' | 'numberScaleAt'>> {
  const factor = rateFactor(statistics, scaling);
  const scale = labelScaleOf(statistics, layout);
  const numberScale = asksForScales(spec) ? steadyScales(statistics, scaling) : undefined;
  return {
    factorAt: () => factor,
    labelScaleAt: () => scale,
    numberScaleAt: () => numberScale,
  };
}

/** Samples as a network sees them by statistics that have seen them all. */
export function scaledBy(
  { encoder: { layout }, scaling }: Model,
  statistics: FeatureStatistics,
  block: EncodedSamples,
): EncodedSamples {
  const labels = Float32Array.from(
    standardizeLabels(block.labels, labelScaleOf(statistics, layout)),
  );
  return { ...standardize(block, statistics, scaling), labels };
}

/** The standardised numbers of some parts as one. */
function joinedNumbers(parts: readonly EncodedSamples[], length: number) {
  const join = (ownOf: (part: EncodedSamples) => Float32Array | undefined) => {
    const joined = new Float32Array(length);
    let offset = 0;
    for (const part of parts) {
      const own = ownOf(part) ?? new Float32Array(0);
      joined.set(own, offset);
      offset += own.length;
    }
    return joined;
  };
  const numbers = join((part) => part.numbers);
  const views = parts[0]?.views?.map((_, view) => join((part) => part.views?.[view]));
  return { numbers, raw: numbers, ...(views && { views }) };
}
