import { keys, sequenceOfCheckpoint } from '../bucket/keys.ts';
import { readKept } from '../fold/arithmetics.ts';
import { lastCheckpoint, usableState } from '../fold/checkpoints.ts';
import { applyEntry, reachOf } from '../fold/fold.ts';
import { entriesAfter } from '../journal/reading.ts';
import { limits } from '../limits.ts';
import { initialState, type Model } from '../model/model.ts';
import type { Ports } from '../ports/ports.ts';
import { encodeCheckpoint } from '../state/checkpoint-file.ts';
import { comparable } from '../state/ledger.ts';
import type { State } from '../state/state.ts';

/** Entries between two states that are stored, folded again from the first and held against it. */
export type Stretch = {
  readonly from: number;
  readonly to: number;
  /** Arithmetics that made some of it, other than the one that folded it. */
  readonly otherArithmetics: readonly string[];
  /** By tensor, the largest difference of an element. */
  readonly differences: ReadonlyMap<string, number>;
  /** The largest of them, relative to the largest element of its tensor. */
  readonly largest: number;
  /**
   * Whether it is confirmed: to the bit, or, where another arithmetic made some of it, within
   * {@link tolerance}.
   */
  readonly isConfirmed: boolean;
};

/** The result of folding a journal again and comparing it with the states that are stored. */
export type Verification = {
  /** The entry from which it was folded, and the last one. */
  readonly from: number;
  readonly to: number;
  /** Samples of the entries in between. */
  readonly samples: number;
  /** What was compared: up to each kept checkpoint, and last up to the published state. */
  readonly stretches: readonly Stretch[];
  /** By tensor, the largest difference of an element from the published state. */
  readonly differences: ReadonlyMap<string, number>;
  /** Whether all stretches are confirmed: weights, slots, statistics, ledger and scores. */
  readonly isSame: boolean;
  /** Whether there is a published state that can be used; it is made again by the next update. */
  readonly isPublished: boolean;
};

/**
 * Differences that rounding makes of a stretch: a share of the largest element of each tensor. Each
 * step makes some 10⁻⁷, and the steps after it make more of that.
 */
export const tolerance = 0.01;

/**
 * Folds a model's journal again, from the last kept checkpoint or from the beginning, and compares
 * the result with each kept checkpoint on the way and with the published state.
 *
 * @param onEntry called after each entry with how many are done, and of how many
 * @throws MillraceError kind `corrupt` if the journal cannot be folded
 */
export async function verifyModel(
  ports: Ports,
  model: Model,
  isAll: boolean,
  onEntry: (done: number, total: number) => void = () => undefined,
): Promise<Verification> {
  const published = await usablePublishedState(ports, model);
  const end = published?.sequence ?? 0;
  let state = isAll
    ? initialState(model)
    : await lastCheckpoint(ports, model, Math.max(0, end - 1));
  const reach = reachOf(ports, model);
  const kept = await keptSequences(ports, model);
  const from = state.sequence;
  const stretches: Stretch[] = [];
  let begin = from;
  let samples = 0;
  let others = new Set<string>();
  const compare = (stored: State) => {
    const stretch = stretchOf(state, stored, { from: begin, others: [...others] });
    stretches.push(stretch);
    begin = state.sequence;
    others = new Set();
    // What another arithmetic made is not made here: the next stretch begins with it.
    if (stretch.otherArithmetics.length > 0) state = stored;
  };
  for await (const entry of entriesAfter(ports.store, model.name, from, { ahead })) {
    state = await applyEntry(ports, reach, state, entry);
    samples += entry.samples.length;
    if (entry.samples.length > 0) others.add(entry.header.engine);
    others.delete(model.compiled.engine);
    const { sequence } = state;
    if (sequence === end && published !== undefined) compare(published);
    else if (kept.has(sequence)) {
      const checkpoint = await readKept(ports, model, sequence);
      if (checkpoint !== undefined) compare(checkpoint.state);
    }
    onEntry(sequence - from, Math.max(end, sequence) - from);
  }
  return {
    from,
    to: state.sequence,
    samples,
    stretches,
    differences: stretches.findLast(({ to }) => to === end)?.differences ?? new Map(),
    isSame: stretches.every(({ isConfirmed }) => isConfirmed),
    isPublished: published !== undefined || state.sequence === 0,
  };
}

const ahead = limits.readsAtOnce;

async function usablePublishedState(ports: Ports, model: Model): Promise<State | undefined> {
  const key = keys.state(model.name);
  const object = await ports.store.get(key);
  return object && usableState(ports, model, key, object);
}

/** The entries whose states are kept. */
async function keptSequences({ store }: Ports, { name }: Model): Promise<ReadonlySet<number>> {
  const objects = await store.list(keys.checkpoints(name));
  return new Set(objects.map(({ key }) => sequenceOfCheckpoint(key) ?? 0));
}

function stretchOf(
  folded: State,
  stored: State,
  { from, others }: { readonly from: number; readonly others: readonly string[] },
): Stretch {
  const differences = differencesOf(folded, stored);
  const relative = [...differences].map(([name, difference]) => {
    const data = stored.tensors[name]?.data ?? new Float32Array();
    const most = data.reduce((largest, each) => Math.max(largest, Math.abs(each)), 0);
    return difference === 0 ? 0 : difference / most;
  });
  const largest = Math.max(0, ...relative);
  const isConfirmed =
    others.length === 0
      ? isSameState(folded, stored)
      : largest <= tolerance && isSameState(withRoundingOf(folded, stored), stored);
  return { from, to: folded.sequence, otherArithmetics: others, differences, largest, isConfirmed };
}

/** A state with what rounding changes taken from another one. */
function withRoundingOf(folded: State, { tensors, statistics, scores, prior }: State): State {
  return { ...folded, tensors, statistics, scores, ...(prior === undefined ? {} : { prior }) };
}

/**
 * Whether states are the same to the bit. What release 0.1.0 published does not name its entry, and
 * those before 0.4 remember fewer digests of a producer's numbers.
 */
function isSameState(folded: State, published: State): boolean {
  const [own, other] = comparable(folded.ledger, published.ledger);
  const { nonce, arithmetic } = published;
  const named = { ...folded, nonce, arithmetic, ledger: own };
  const then = { ...published, ledger: other };
  return Buffer.from(encodeCheckpoint(named)).equals(encodeCheckpoint(then));
}

function differencesOf(folded: State, published: State): ReadonlyMap<string, number> {
  const names = new Set([...Object.keys(folded.tensors), ...Object.keys(published.tensors)]);
  return new Map(
    [...names].map((name) => {
      const [a, b] = [folded.tensors[name]?.data ?? [], published.tensors[name]?.data ?? []];
      if (a.length !== b.length) return [name, Number.POSITIVE_INFINITY];
      let largest = 0;
      for (let i = 0; i < a.length; i++)
        largest = Math.max(largest, Math.abs((a[i] ?? 0) - (b[i] ?? 0)));
      return [name, largest];
    }),
  );
}
