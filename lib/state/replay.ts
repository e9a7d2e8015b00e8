import { withOwnWeights } from '../features/class-weights.ts';
import { hashIntegers } from '../features/hash.ts';
import {
  allocateSamples,
  type EncodedSamples,
  gatherSamples,
  type Layout,
  rowsWithin,
  writeSamples,
} from '../features/samples.ts';
import { limits } from '../limits.ts';
import type { Spec } from '../spec/spec.ts';

/**
 * Samples of the stream, drawn evenly from all that were learnt (algorithm R, Vitter 1985) or the
 * last ones, to be learnt again beside new ones. They lie in the state by value, bounded in bytes:
 * a fold needs its entries alone, and what is retracted is never among them.
 */
export type Replay = {
  /** Samples that it was drawn from. */
  readonly seen: number;
  /** Raw numbers. */
  readonly samples: EncodedSamples;
};

/** What a gradient step learns: new samples, and old ones beside them. */
export type Rehearsal = {
  /** Raw numbers; block by block, the new samples of a step and then its old ones. */
  readonly samples: EncodedSamples;
  /** Samples of a step, old and new, for each new one. */
  readonly factor: number;
  /** The rows that are new. */
  readonly fresh: Int32Array;
};

/** Streams of random numbers that have nothing to do with each other. */
const [drawn, kept] = [0x7265, 0x706c];

/** A replay of no samples. */
export function emptyReplay(layout: Layout): Replay {
  return { seen: 0, samples: allocateSamples(0, layout) };
}

/**
 * New samples with old ones beside each minibatch of them; the new ones alone while there are no
 * old ones.
 *
 * @param first how many of the message's samples came before these, in whole minibatches
 */
export function rehearse(
  { seed, online }: Spec,
  { seen, samples: old }: Replay,
  samples: EncodedSamples,
  { layout, first }: { readonly layout: Layout; readonly first: number },
): Rehearsal {
  const ratio = old.count === 0 ? 0 : (online.replay?.ratio ?? 0);
  const factor = 1 + ratio;
  // Where new and old samples get their places, and which old ones they are.
  const fresh = new Int32Array(samples.count);
  const again = new Int32Array(samples.count * ratio);
  const rows = new Int32Array(samples.count * ratio);
  let place = 0;
  for (let start = 0; start < samples.count; start += online.minibatch) {
    const end = Math.min(start + online.minibatch, samples.count);
    for (let i = start; i < end; i++) fresh[i] = place++;
    for (let i = start * ratio; i < end * ratio; i++) {
      again[i] = place++;
      rows[i] = below(old.count, hashIntegers(seed, drawn, seen, first * ratio + i));
    }
  }
  if (ratio === 0) return { samples, factor, fresh };
  const all = allocateSamples(samples.count * factor, layout);
  writeSamples(samples, all, fresh, layout);
  writeSamples(gatherSamples(old, rows, layout), all, again, layout);
  const { lateWeights } = samples;
  if (lateWeights === undefined) return { samples: all, factor, fresh };
  const late = new Float32Array(all.count).fill(1);
  for (const [i, weight] of lateWeights.entries()) late[fresh[i] ?? 0] = weight;
  return { samples: { ...all, lateWeights: late }, factor, fresh };
}

/** The replay after samples were learnt. */
export function keepSome(
  { seed, online }: Spec,
  { seen, samples: old }: Replay,
  samples: EncodedSamples,
  { layout, derived }: KeepOptions,
): Replay {
  const most = rowsWithin(online.replay?.size ?? 0, layout, limits.replayBytes);
  const isRecent = online.replay?.keep === 'recent';
  const placeOf = (before: number) =>
    isRecent ? before % most : below(before + 1, hashIntegers(seed, kept, before));
  // The new sample that gets each place; of most messages of a long stream, none does.
  const news = new Map<number, number>();
  let count = old.count;
  for (let i = 0; i < samples.count; i++) {
    const place = count < most ? count++ : placeOf(seen + i);
    if (place < most) news.set(place, i);
  }
  const after = seen + samples.count;
  if (news.size === 0) return { seen: after, samples: old };
  const places = [...news.keys()].toSorted((a, b) => a - b);
  const rows = places.map((place) => news.get(place) ?? 0);
  const fresh = derived(withOwnWeights(gatherSamples(samples, rows, layout)));
  const all = allocateSamples(count, layout);
  all.raw.set(old.raw);
  all.categories.set(old.categories);
  all.labels.set(old.labels);
  all.weights.set(old.weights);
  writeSamples(fresh, all, places, layout);
  return { seen: after, samples: all };
}

/** How samples are kept. */
type KeepOptions = {
  readonly layout: Layout;
  /** Gives samples the values that wait for what was learnt before them. */
  readonly derived: (samples: EncodedSamples) => EncodedSamples;
};

/** A whole number from 0 to below `count`, from a hash of 32 bits. */
function below(count: number, hash: number): number {
  return Math.floor((hash / 2 ** 32) * count);
}
