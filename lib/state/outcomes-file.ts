import type { SafetensorsFile, StoredTensor } from '../bucket/safetensors.ts';
import { type Outcomes, outcomeParts, type StreamOutcomes } from '../metrics/outcomes.ts';

const times = ['soFar', 'lately'] as const;

const nameOf = (time: keyof StreamOutcomes, part: keyof Outcomes) => `outcomes/${time}/${part}`;

/** How a stream's predictions turned out, as tensors of a file. */
export function outcomesTensors(outcomes: StreamOutcomes): Record<string, StoredTensor> {
  return Object.fromEntries(
    times.flatMap((time) =>
      outcomeParts.map((part): [string, StoredTensor] => {
        const data = outcomes[time][part];
        return [nameOf(time, part), { shape: [data.length], data }];
      }),
    ),
  );
}

/** Undoes {@link outcomesTensors}; nothing if they are not whole. */
export function outcomesFrom(tensors: SafetensorsFile['tensors']): {
  readonly outcomes?: StreamOutcomes;
} {
  const [soFar, lately] = times.map((time) => {
    const [classes, calibration, errors, ranks] = outcomeParts.map((part) => {
      const data = tensors[nameOf(time, part)]?.data;
      return data instanceof Float64Array ? data : undefined;
    });
    return classes && calibration && errors && ranks && { classes, calibration, errors, ranks };
  });
  return soFar && lately ? { outcomes: { soFar, lately } } : {};
}
