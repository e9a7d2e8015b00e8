import { hashIntegers } from '../features/hash.ts';
import {
  allocateSamples,
  concatSamples,
  type EncodedSamples,
  gatherSamples,
  type Layout,
  rowsWithin,
  withOwnWeights,
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
  const fresh = new Int32Array(samples.count);
  const rows = new Int32Array(samples.count * factor);
  let row = 0;
  for (let start = 0; start < samples.count; start += online.minibatch) {
    const end = Math.min(start + online.minibatch, samples.count);
    for (let i = start; i < end; i++) {
      fresh[i] = row;
      rows[row++] = i;
    }
    for (let i = start * ratio; i < end * ratio; i++)
      rows[row++] =
        samples.count + below(old.count, hashIntegers(seed, drawn, seen, first * ratio + i));
  }
  if (ratio === 0) return { samples, factor, fresh };
  const all = concatSamples([samples, old], layout);
  return { samples: gatherSamples(all, rows, layout), factor, fresh };
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
  // The row of old and new ones that lies in each place.
  const places = Array.from({ length: old.count }, (_, i) => i);
  for (let i = 0; i < samples.count; i++) {
    const place = places.length < most ? places.length : placeOf(seen + i);
    if (place < most) places[place] = old.count + i;
  }
  const news = places.filter((row) => row >= old.count).map((row) => row - old.count);
  const fresh = derived(withOwnWeights(gatherSamples(samples, news, layout)));
  let next = old.count;
  const rows = places.map((row) => (row < old.count ? row : next++));
  const all = concatSamples([old, fresh], layout);
  return { seen: seen + samples.count, samples: gatherSamples(all, rows, layout) };
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
