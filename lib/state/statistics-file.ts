import * as z from 'zod';
import type { SafetensorsFile, StoredTensor } from '../bucket/safetensors.ts';
import type { LagHistory } from '../features/lags.ts';
import type { Moments } from '../features/moments.ts';
import { PagedNumbers } from '../features/paged-numbers.ts';
import type { FeatureStatistics } from '../features/statistics.ts';
import type { TargetSums } from '../features/target-means.ts';
import type { Vocabulary } from '../features/vocabulary.ts';

const counts = z.object({
  statisticsCount: z.coerce.number().pipe(z.int().nonnegative()),
  /** The half-lives of moments that forget, and how many samples they stand for. */
  forgetting: z
    .string()
    .default('[]')
    .transform((text): unknown => JSON.parse(text))
    .pipe(z.array(z.strictObject({ halfLife: z.number(), count: z.number() }))),
  /** The classes that have places, in their order. */
  classNames: z
    .string()
    .transform((text): unknown => JSON.parse(text))
    .pipe(z.array(z.string()).readonly())
    .optional(),
});

/** Statistics as tensors of a file; `prefix` is before each name. */
export function statisticsTensors(
  statistics: FeatureStatistics,
  prefix = 'statistics/',
): Record<string, StoredTensor> {
  const forgetting = statistics.forgetting?.map((moments, i) =>
    momentsTensors(moments, `${prefix}forgetting_${i + 1}_`),
  );
  const targets = statistics.targets?.map((sums, i) =>
    targetTensors(sums, `${prefix}targets_${i + 1}_`),
  );
  const lags = statistics.lags?.map((history, i) => lagTensors(history, `${prefix}lags_${i + 1}_`));
  const vocabularies = statistics.vocabularies?.map((each, i) =>
    arrayTensors(each, `${prefix}vocabularies_${i + 1}_`),
  );
  const spreads = statistics.spreads?.map((spread, i) =>
    arrayTensors(spread, `${prefix}spreads_${i + 1}_`),
  );
  const { labelRange, classes, gaps } = statistics;
  return Object.assign(
    momentsTensors(statistics, prefix),
    labelRange && {
      [`${prefix}label_range`]: { shape: [labelRange.length], data: Float64Array.from(labelRange) },
    },
    arrayTensors({ ...(classes && { classes }), ...(gaps && { gaps }) }, prefix),
    ...(forgetting ?? []),
    ...(targets ?? []),
    ...(lags ?? []),
    ...(vocabularies ?? []),
    ...(spreads ?? []),
  );
}

/** How many bytes target means and lags have in a file, but for their totals. */
export function bytesInPages({
  targets = [],
  lags = [],
}: { [Part in 'targets' | 'lags']: FeatureStatistics[Part] | undefined }): number {
  const paged = [
    ...targets.flatMap(({ sums, counts }) => [sums, counts]),
    ...lags.flatMap(({ values, counts }) => [values, counts]),
  ];
  return paged.reduce((sum, { length }) => sum + length * Float64Array.BYTES_PER_ELEMENT, 0);
}

/** Arrays of one dimension. */
function arrayTensors(
  arrays: Readonly<Record<string, Float64Array | Int32Array>>,
  prefix: string,
): Record<string, StoredTensor> {
  return Object.fromEntries(
    Object.entries(arrays).map(([name, data]): [string, StoredTensor] => [
      prefix + name,
      { shape: [data.length], data },
    ]),
  );
}

/** The vocabularies of a file. */
function vocabulariesFrom(tensors: SafetensorsFile['tensors'], prefix: string): Vocabulary[] {
  const found: Vocabulary[] = [];
  for (let i = 1; ; i++) {
    const own = (name: keyof Vocabulary) => tensors[`${prefix}vocabularies_${i}_${name}`]?.data;
    const [hashes, candidates, sightings] = [own('hashes'), own('candidates'), own('sightings')];
    const [seen, totals] = [own('seen'), own('totals')];
    const isWhole =
      hashes instanceof Int32Array &&
      candidates instanceof Int32Array &&
      sightings instanceof Int32Array &&
      seen instanceof Float64Array &&
      totals instanceof Float64Array;
    if (!isWhole) return found;
    found.push({ hashes, seen, candidates, sightings, totals });
  }
}

function lagTensors({ values, counts, total }: LagHistory, prefix: string) {
  const matrix = [counts.length, values.length / Math.max(1, counts.length)];
  return {
    [`${prefix}values`]: { shape: matrix, data: values.whole() },
    [`${prefix}counts`]: { shape: [counts.length], data: counts.whole() },
    [`${prefix}total`]: { shape: [total.length], data: total },
  };
}

function targetTensors(
  { sums, counts, total, totalCount }: TargetSums,
  prefix: string,
): Record<string, StoredTensor> {
  const matrix = [counts.length, sums.length / Math.max(1, counts.length)];
  return {
    [`${prefix}sums`]: { shape: matrix, data: sums.whole() },
    [`${prefix}counts`]: { shape: [counts.length], data: counts.whole() },
    [`${prefix}total`]: { shape: [total.length + 1], data: Float64Array.of(...total, totalCount) },
  };
}

/** Tensors of a file that are numbered from 1, as many as there are whole. */
function numberedFrom<Name extends string>(
  tensors: SafetensorsFile['tensors'],
  prefix: string,
  names: readonly Name[],
): Record<Name, Float64Array>[] {
  const found: Record<Name, Float64Array>[] = [];
  for (let i = 1; ; i++) {
    const own: Partial<Record<Name, Float64Array>> = {};
    for (const name of names) {
      const data = tensors[`${prefix}${i}_${name}`]?.data;
      if (!(data instanceof Float64Array)) return found;
      own[name] = data;
    }
    found.push(own as Record<Name, Float64Array>);
  }
}

/** The target means of a file. */
function targetsFrom(tensors: SafetensorsFile['tensors'], prefix: string): TargetSums[] {
  const found = numberedFrom(tensors, `${prefix}targets_`, ['sums', 'counts', 'total']);
  return found.map(({ sums, counts, total }) => ({
    sums: PagedNumbers.of(sums),
    counts: PagedNumbers.of(counts),
    total: total.slice(0, -1),
    totalCount: total.at(-1) ?? 0,
  }));
}

/** The lags of a file. */
function lagsFrom(tensors: SafetensorsFile['tensors'], prefix: string): LagHistory[] {
  const found = numberedFrom(tensors, `${prefix}lags_`, ['values', 'counts', 'total']);
  return found.map(({ values, counts, total }) => ({
    values: PagedNumbers.of(values),
    counts: PagedNumbers.of(counts),
    total,
  }));
}

function momentsTensors({ mean, squares, counts }: Moments, prefix: string) {
  return arrayTensors({ mean, squares, ...(counts && { counts }) }, prefix);
}

/** What statistics have beside their tensors. */
export function statisticsMetadata({
  count,
  forgetting,
  classNames,
}: FeatureStatistics): Record<string, string> {
  const lives = forgetting?.map((moments) => ({
    halfLife: moments.halfLife,
    count: moments.count,
  }));
  return {
    statisticsCount: String(count),
    ...(lives && { forgetting: JSON.stringify(lives) }),
    ...(classNames && { classNames: JSON.stringify(classNames) }),
  };
}

/** Undoes both; undefined if they are not whole. */
export function statisticsFrom(
  tensors: SafetensorsFile['tensors'],
  metadata: Readonly<Record<string, unknown>>,
  prefix = 'statistics/',
): FeatureStatistics | undefined {
  const read = counts.safeParse(metadata);
  const own = momentsFrom(tensors, prefix);
  if (!read.success || own === undefined) return undefined;
  const { statisticsCount, forgetting, classNames } = read.data;
  const moments = forgetting.flatMap(({ halfLife, count }, i) => {
    const stored = momentsFrom(tensors, `${prefix}forgetting_${i + 1}_`);
    return stored === undefined ? [] : [{ halfLife, count, ...stored }];
  });
  if (moments.length < forgetting.length) return undefined;
  const targets = targetsFrom(tensors, prefix);
  const lags = lagsFrom(tensors, prefix);
  const vocabularies = vocabulariesFrom(tensors, prefix);
  const spreads = numberedFrom(tensors, `${prefix}spreads_`, ['bounds', 'values', 'counts']);
  const range = tensors[`${prefix}label_range`]?.data;
  const [classes, gaps] = ['classes', 'gaps'].map((name) => tensors[prefix + name]?.data);
  return {
    count: statisticsCount,
    ...own,
    ...(range instanceof Float64Array ? { labelRange: [...range] } : {}),
    ...(moments.length > 0 ? { forgetting: moments } : {}),
    ...(classNames && { classNames }),
    ...(classes instanceof Float64Array ? { classes } : {}),
    ...(gaps instanceof Float64Array ? { gaps } : {}),
    ...(targets.length > 0 ? { targets } : {}),
    ...(lags.length > 0 ? { lags } : {}),
    ...(vocabularies.length > 0 ? { vocabularies } : {}),
    ...(spreads.length > 0 ? { spreads } : {}),
  };
}

function momentsFrom(
  tensors: SafetensorsFile['tensors'],
  prefix: string,
): Omit<Moments, 'count'> | undefined {
  const [mean, squares, counts] = ['mean', 'squares', 'counts'].map(
    (name) => tensors[prefix + name]?.data,
  );
  if (!(mean instanceof Float64Array && squares instanceof Float64Array)) return undefined;
  if (counts === undefined) return { mean, squares };
  const isWhole = counts instanceof Float64Array && counts.length === mean.length;
  return isWhole ? { counts, mean, squares } : undefined;
}
