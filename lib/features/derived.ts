import { mergeMoments } from './moments.ts';
import { type EncodedSamples, gatherSamples, type Layout, sliceSamples } from './samples.ts';
import { emptyStatistics, type FeatureStatistics, statisticsOf } from './statistics.ts';
import { addTargets, emptyTargets, writeTargetMeans } from './target-means.ts';

/**
 * Samples in which columns that wait for what was learnt before have their values: mean labels, and
 * means in place of what is missing. The samples themselves say nothing in them.
 */
export function derive(
  samples: EncodedSamples,
  statistics: FeatureStatistics,
  layout: Layout,
): EncodedSamples {
  const { targets = [], filled = [], numberWidth } = layout;
  if (samples.isDerived || (targets.length === 0 && filled.length === 0)) return samples;
  const raw = samples.raw.slice();
  const own = {
    ...samples,
    isDerived: true as const,
    raw,
    ...(raw instanceof Float32Array ? { numbers: raw } : {}),
  };
  targets.forEach((columns, i) => {
    const sums = statistics.targets?.[i] ?? emptyTargets(columns);
    writeTargetMeans(columns, sums, own, layout);
  });
  for (const column of filled) {
    const mean = statistics.mean[column] ?? 0;
    for (let row = 0; row < samples.count; row++) {
      const place = row * numberWidth + column;
      if (Number.isNaN(raw[place])) raw[place] = mean;
    }
  }
  return own;
}

/** Statistics that know the labels of some samples, which they have counted otherwise. */
export function withTargetsOf(
  statistics: FeatureStatistics,
  samples: EncodedSamples,
  layout: Layout,
): FeatureStatistics {
  const { targets } = layout;
  if (targets === undefined) return statistics;
  return {
    ...statistics,
    targets: targets.map((columns, i) =>
      addTargets(columns, statistics.targets?.[i] ?? emptyTargets(columns), samples, layout),
    ),
  };
}

/** Derives the columns of a dataset's rows as if they were a stream. */
export type OrderedDerivation = {
  /**
   * Rows whose derived columns say what the rows before them said.
   *
   * @param learnt which of them are learnt: the others, held out, say nothing to later ones
   */
  readonly add: (rows: EncodedSamples, learnt: readonly number[]) => EncodedSamples;
  /** What all learnt rows said of the labels. */
  readonly targets: () => FeatureStatistics['targets'];
};

/** Rows that are derived at once, as those of one message are. */
const blockRows = 256;

/** A derivation of no rows so far. @param before what is known before them; nothing unless given */
export function deriveInOrder(
  layout: Layout,
  before: FeatureStatistics = emptyStatistics(layout),
): OrderedDerivation {
  let statistics = before;
  return {
    add(rows, learnt) {
      if (layout.targets === undefined && layout.filled === undefined) return rows;
      const derived = { ...rows, raw: rows.raw.slice() };
      let next = 0;
      for (let start = 0; start < rows.count; start += blockRows) {
        const block = derive(
          sliceSamples(rows, start, start + blockRows, layout),
          statistics,
          layout,
        );
        derived.raw.set(block.raw, start * layout.numberWidth);
        const own: number[] = [];
        for (; next < learnt.length && (learnt[next] ?? 0) < start + block.count; next++)
          own.push((learnt[next] ?? 0) - start);
        const part = gatherSamples(block, own, layout);
        const { targets } = withTargetsOf(statistics, part, layout);
        // (Only the means are of use here.)
        statistics = {
          ...mergeMoments(statistics, statisticsOf(part, layout)),
          ...(targets && { targets }),
        };
      }
      const { raw } = derived;
      const numbers = raw instanceof Float32Array ? raw : derived.numbers;
      return { ...derived, numbers, isDerived: true };
    },
    targets: () => statistics.targets,
  };
}
