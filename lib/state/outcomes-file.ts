import type { SafetensorsFile, StoredTensor } from '../bucket/safetensors.ts';
import {
  type Outcomes,
  type OutcomesOverTime,
  outcomeParts,
  rivals,
  type StreamOutcomes,
} from '../metrics/outcomes.ts';

const times = ['soFar', 'lately'] as const;

const nameOf = (whose: string, time: keyof OutcomesOverTime, part: keyof Outcomes) =>
  `${whose}/${time}/${part}`;
const own = 'outcomes';

/** How predictions of a stream turned out, as tensors of a file: the model's, and its rivals'. */
export function outcomesTensors(outcomes: StreamOutcomes): Record<string, StoredTensor> {
  const tensorsOf = (whose: string, sums: OutcomesOverTime) =>
    times.flatMap((time) =>
      outcomeParts.map((part): [string, Float64Array] => [
        nameOf(whose, time, part),
        sums[time][part],
      ]),
    );
  const others = outcomes.rivals;
  const all = [
    ...tensorsOf(own, outcomes),
    ...(others ? rivals.flatMap((rival) => tensorsOf(`${own}/${rival}`, others[rival])) : []),
    [ranksName, outcomes.ranks] as const,
    ...times.flatMap((time) => {
      const ranks = outcomes.classRanks?.[time];
      return ranks === undefined ? [] : [[classRanksName(time), ranks] as const];
    }),
  ];
  return Object.fromEntries(all.map(([name, data]) => [name, { shape: [data.length], data }]));
}

const ranksName = 'outcomes/ranks';
const classRanksName = (time: keyof OutcomesOverTime) => `outcomes/${time}/class_ranks`;

/** Undoes {@link outcomesTensors}; nothing if they are not whole. */
export function outcomesFrom(tensors: SafetensorsFile['tensors']): {
  readonly outcomes?: StreamOutcomes;
} {
  const dataOf = (name: string) => {
    const data = tensors[name]?.data;
    return data instanceof Float64Array ? data : undefined;
  };
  const sumsOf = (whose: string): OutcomesOverTime | undefined => {
    const [soFar, lately] = times.map((time) => {
      const [classes, calibration, errors] = outcomeParts.map((part) =>
        dataOf(nameOf(whose, time, part)),
      );
      return classes && calibration && errors && { classes, calibration, errors };
    });
    return soFar && lately && { soFar, lately };
  };
  const [model, prior, lastLabel] = [own, ...rivals.map((rival) => `${own}/${rival}`)].map(sumsOf);
  const ranks = dataOf(ranksName);
  if (!model || !ranks) return {};
  const others = prior && lastLabel && { prior, lastLabel };
  const [soFar, lately] = times.map((time) => dataOf(classRanksName(time)));
  const classRanks = soFar && lately && { soFar, lately };
  return {
    outcomes: {
      ...model,
      ranks,
      ...(classRanks && { classRanks }),
      ...(others && { rivals: others }),
    },
  };
}
