import type { SafetensorsFile, StoredTensor } from '../bucket/safetensors.ts';
import { type Outcomes, outcomeParts, type StreamOutcomes } from '../metrics/outcomes.ts';

const times = ['soFar', 'lately'] as const;

const nameOf = (time: keyof StreamOutcomes, part: keyof Outcomes) => `outcomes/${time}/${part}`;

/** How a stream's predictions turned out, as tensors of a file. */
export function outcomesTensors(outcomes: StreamOutcomes): Record<string, StoredTensor> {
  const own = times.flatMap((time) =>
    outcomeParts.map((part): [string, Float64Array] => [nameOf(time, part), outcomes[time][part]]),
  );
  return Object.fromEntries(
    [...own, [ranksName, outcomes.ranks] as const].map(([name, data]) => [
      name,
      { shape: [data.length], data },
    ]),
  );
}

const ranksName = 'outcomes/ranks';

/** Undoes {@link outcomesTensors}; nothing if they are not whole. */
export function outcomesFrom(tensors: SafetensorsFile['tensors']): {
  readonly outcomes?: StreamOutcomes;
} {
  const dataOf = (name: string) => {
    const data = tensors[name]?.data;
    return data instanceof Float64Array ? data : undefined;
  };
  const [soFar, lately] = times.map((time) => {
    const [classes, calibration, errors] = outcomeParts.map((part) => dataOf(nameOf(time, part)));
    return classes && calibration && errors && { classes, calibration, errors };
  });
  const ranks = dataOf(ranksName);
  return soFar && lately && ranks ? { outcomes: { soFar, lately, ranks } } : {};
}
