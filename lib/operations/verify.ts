import { keys } from '../bucket/keys.ts';
import { lastCheckpoint, usableState } from '../fold/checkpoints.ts';
import { applyEntry, reachOf } from '../fold/fold.ts';
import { entriesAfter } from '../journal/reading.ts';
import { limits } from '../limits.ts';
import { initialState, type Model } from '../model/model.ts';
import type { Ports } from '../ports/ports.ts';
import { encodeCheckpoint } from '../state/checkpoint-file.ts';
import { comparable } from '../state/ledger.ts';
import type { State } from '../state/state.ts';

/** The result of folding a journal again and comparing it with the published state. */
export type Verification = {
  /** The entry from which it was folded, and that of the published state. */
  readonly from: number;
  readonly to: number;
  /** Samples of the entries in between. */
  readonly samples: number;
  /** By tensor, the largest difference of an element. */
  readonly differences: ReadonlyMap<string, number>;
  /** Whether all is the same to the bit: weights, slots, statistics, ledger and scores. */
  readonly isSame: boolean;
  /** Whether there is a published state that can be used; it is made again by the next update. */
  readonly isPublished: boolean;
  /**
   * Versions of the engine that learnt some of the entries, other than the one that folded them.
   */
  readonly otherEngines: readonly string[];
};

/**
 * Folds a model's journal again, from the last kept checkpoint or from the beginning, and compares
 * the result with the published state.
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
  const from = state.sequence;
  let then = state;
  let samples = 0;
  const engines = new Set<string>();
  for await (const entry of entriesAfter(ports.store, model.name, from, { ahead })) {
    state = await applyEntry(ports, reach, state, entry);
    samples += entry.samples.length;
    if (entry.samples.length > 0) engines.add(entry.header.engine);
    if (state.sequence === end) then = state;
    onEntry(state.sequence - from, Math.max(end, state.sequence) - from);
  }
  engines.delete(model.compiled.engine);
  const compared = published ?? then;
  return {
    from,
    to: state.sequence,
    samples,
    differences: differencesOf(then, compared),
    isSame: isSameState(then, compared),
    isPublished: published !== undefined || state.sequence === 0,
    otherEngines: [...engines],
  };
}

const ahead = limits.readsAtOnce;

async function usablePublishedState(ports: Ports, model: Model): Promise<State | undefined> {
  const key = keys.state(model.name);
  const object = await ports.store.get(key);
  return object && usableState(ports, model, key, object);
}

/**
 * Whether states are the same to the bit. What release 0.1.0 published does not name its entry, and
 * those before 0.4 remember fewer digests of a producer's numbers.
 */
function isSameState(folded: State, published: State): boolean {
  const [own, other] = comparable(folded.ledger, published.ledger);
  const named = { ...folded, nonce: published.nonce, ledger: own };
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
