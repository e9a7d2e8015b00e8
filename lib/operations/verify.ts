import { lastCheckpoint, loadCheckpoint } from '../fold/checkpoints.ts';
import { applyEntry } from '../fold/fold.ts';
import { entriesAfter } from '../journal/reading.ts';
import { limits } from '../limits.ts';
import { initialState, type Model } from '../model/model.ts';
import type { Ports } from '../ports/ports.ts';
import { encodeCheckpoint } from '../state/checkpoint-file.ts';
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
  const { state: published } = await loadCheckpoint(ports, model);
  const to = published.sequence;
  let state = isAll ? initialState(model) : await lastCheckpoint(ports, model, Math.max(0, to - 1));
  const from = state.sequence;
  let samples = 0;
  const engines = new Set<string>();
  const journal = entriesAfter(ports.store, model.name, from, { to, ahead: limits.readsAtOnce });
  for await (const entry of journal) {
    state = await applyEntry(ports, model, state, entry);
    samples += entry.samples.length;
    if (entry.samples.length > 0) engines.add(entry.header.engine);
    onEntry(state.sequence - from, to - from);
  }
  const isSame = Buffer.from(encodeCheckpoint(state)).equals(encodeCheckpoint(published));
  engines.delete(model.compiled.engine);
  const differences = differencesOf(state, published);
  return { from, to, samples, differences, isSame, otherEngines: [...engines] };
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
