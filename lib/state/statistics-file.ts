import { z } from 'zod';
import type { SafetensorsFile, StoredTensor } from '../bucket/safetensors.ts';
import type { Moments } from '../features/moments.ts';
import type { FeatureStatistics } from '../features/statistics.ts';

const counts = z.object({
  statisticsCount: z.coerce.number().pipe(z.int().nonnegative()),
  /** The half-lives of moments that forget, and how many samples they stand for. */
  forgetting: z
    .string()
    .default('[]')
    .transform((text): unknown => JSON.parse(text))
    .pipe(z.array(z.strictObject({ halfLife: z.number(), count: z.number() }))),
});

/** Statistics as tensors of a file; `prefix` is before each name. */
export function statisticsTensors(
  statistics: FeatureStatistics,
  prefix = 'statistics/',
): Record<string, StoredTensor> {
  const forgetting = statistics.forgetting?.map((moments, i) =>
    momentsTensors(moments, `${prefix}forgetting_${i + 1}_`),
  );
  return Object.assign(momentsTensors(statistics, prefix), ...(forgetting ?? []));
}

function momentsTensors({ mean, squares }: Moments, prefix: string): Record<string, StoredTensor> {
  return {
    [`${prefix}mean`]: { shape: [mean.length], data: mean },
    [`${prefix}squares`]: { shape: [squares.length], data: squares },
  };
}

/** What statistics have beside their tensors. */
export function statisticsMetadata({
  count,
  forgetting,
}: FeatureStatistics): Record<string, string> {
  const lives = forgetting?.map((moments) => ({
    halfLife: moments.halfLife,
    count: moments.count,
  }));
  return {
    statisticsCount: String(count),
    ...(lives && { forgetting: JSON.stringify(lives) }),
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
  const { statisticsCount, forgetting } = read.data;
  const moments = forgetting.flatMap(({ halfLife, count }, i) => {
    const stored = momentsFrom(tensors, `${prefix}forgetting_${i + 1}_`);
    return stored === undefined ? [] : [{ halfLife, count, ...stored }];
  });
  if (moments.length < forgetting.length) return undefined;
  return {
    count: statisticsCount,
    ...own,
    ...(moments.length > 0 ? { forgetting: moments } : {}),
  };
}

function momentsFrom(
  tensors: SafetensorsFile['tensors'],
  prefix: string,
): Pick<Moments, 'mean' | 'squares'> | undefined {
  const [mean, squares] = [tensors[`${prefix}mean`]?.data, tensors[`${prefix}squares`]?.data];
  return mean instanceof Float64Array && squares instanceof Float64Array
    ? { mean, squares }
    : undefined;
}
