import type { RawSamples } from '../features/sample-table.ts';
import { type EncodedSamples, gatherSamples } from '../features/samples.ts';
import { withoutSurplus } from '../features/surplus.ts';
import { limits } from '../limits.ts';
import type { Refused } from '../refusal.ts';
import type { Parameters } from '../state/state.ts';
import { type Learned, learn } from './learn.ts';
import type { Model } from './model.ts';

/** What could be learnt of a message, and the samples that made it diverge. */
export type LearnedMost = {
  readonly learned: Learned;
  /** Places of the samples that were learnt, in their order. */
  readonly places: readonly number[];
  /** Why the others were not, by their places. */
  readonly diverged: ReadonlyMap<number, Refused>;
};

/**
 * Learns a message as {@link learn} does. If it diverges, its halves are tried on their own, and
 * theirs, until the samples that cannot be learnt are found; the rest is then learnt as one
 * message. So one outlier does not take its whole message with it.
 *
 * @param samples raw numbers
 */
export async function learnMost(
  model: Model,
  parameters: Parameters,
  samples: EncodedSamples,
): Promise<LearnedMost> {
  const all = Array.from({ length: samples.count }, (_, place) => place);
  const learned = await learn(model, parameters, samples);
  if (learned.ok) return { learned, places: all, diverged: new Map() };
  const diverged = await findDiverging(model, parameters, samples);
  const places = all.filter((place) => !diverged.has(place));
  if (places.length === 0) return { learned, places, diverged };
  const rest = await learnSome(model, parameters, samples, places);
  if (rest.ok) return { learned: rest, places, diverged };
  const none = new Map(all.map((place): [number, Refused] => [place, diverged.get(place) ?? rest]));
  return { learned: rest, places: [], diverged: none };
}

/**
 * Learns samples again that were learnt by another spec, as far as they can be learnt by this one.
 */
export async function relearnMost(
  model: Model,
  parameters: Parameters,
  samples: RawSamples,
): Promise<Parameters> {
  const { layout } = model.encoder;
  const encoding = model.encoder.encode(samples);
  const { samples: encoded } = withoutSurplus(layout, encoding, parameters.statistics);
  if (encoded.count === 0) return parameters;
  const { learned } = await learnMost(model, parameters, encoded);
  return learned.ok ? learned.parameters : parameters;
}

/** The samples that diverge on their own, each tried from the same parameters. */
async function findDiverging(
  model: Model,
  parameters: Parameters,
  samples: EncodedSamples,
): Promise<ReadonlyMap<number, Refused>> {
  const diverged = new Map<number, Refused>();
  const untried: [from: number, to: number][] = [[0, samples.count]];
  for (let range = untried.pop(), tries = 0; range !== undefined; range = untried.pop(), tries++) {
    const [from, to] = range;
    const places = Array.from({ length: to - from }, (_, i) => from + i);
    const learned = await learnSome(model, parameters, samples, places);
    if (learned.ok) continue;
    if (places.length === 1 || tries >= limits.divergenceTries) {
      for (const place of places) diverged.set(place, learned);
    } else {
      const middle = Math.floor((from + to) / 2);
      untried.push([middle, to], [from, middle]);
    }
  }
  return diverged;
}

async function learnSome(
  model: Model,
  parameters: Parameters,
  samples: EncodedSamples,
  places: readonly number[],
): Promise<Learned> {
  return learn(model, parameters, gatherSamples(samples, places, model.encoder.layout));
}
