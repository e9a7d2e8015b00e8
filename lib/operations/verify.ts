import { keys, sequenceOfCheckpoint } from '../bucket/keys.ts';
import { isOfKind, MillraceError } from '../errors.ts';
import { lastCheckpoint, usableState } from '../fold/checkpoints.ts';
import { readHeader } from '../journal/reading.ts';
import { initialState, type Model } from '../model/model.ts';
import type { Ports } from '../ports/ports.ts';
import { decodeCheckpoint } from '../state/checkpoint-file.ts';
import type { State } from '../state/state.ts';
import { foldAndCompare, type Stretch } from './compared-fold.ts';

/** The result of folding a journal again and comparing it with the states that are stored. */
export type Verification = {
  /** The entry from which it was folded, and the last one. */
  readonly from: number;
  readonly to: number;
  /** Samples of the entries in between. */
  readonly samples: number;
  /** What was compared: up to each kept checkpoint, and last up to the published state. */
  readonly stretches: readonly Stretch[];
  /** Entries that name a checkpoint which is missing or was changed. */
  readonly lostCheckpoints: readonly number[];
  /** Entries whose kept state is damaged, or that of another entry or journal. */
  readonly damagedStates: readonly number[];
  /** By tensor, the largest difference of an element from the published state. */
  readonly differences: ReadonlyMap<string, number>;
  /** Whether nothing was found that no rounding explains. */
  readonly isSame: boolean;
  /** Whether there is a published state that can be used; it is made again by the next update. */
  readonly isPublished: boolean;
};

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
  const published = await statePublished(ports, model);
  const end = published?.sequence ?? 0;
  const start = isAll
    ? initialState(model)
    : await lastCheckpoint(ports, model, Math.max(0, end - 1));
  const from = start.sequence;
  const kept = await keptSequences(ports, model);
  const { state, ...folded } = await foldAndCompare(
    ports,
    model,
    { start, stored: { kept: new Set(kept), published } },
    { onEntry: (sequence) => onEntry(sequence - from, Math.max(end, sequence) - from) },
  );
  if (state.sequence < end)
    throw new MillraceError(
      'corrupt',
      `${keys.entry(model.name, state.sequence + 1)} is missing, and the published state is at entry ${end}`,
    );
  const beyond = kept.filter((sequence) => sequence > state.sequence);
  const damagedStates = [...folded.damagedStates, ...beyond];
  return verified({ ...folded, damagedStates, from, to: state.sequence }, published);
}

/** What stretches that were folded one after another, or side by side, come to. */
export function verified(
  folded: Omit<Verification, 'differences' | 'isSame' | 'isPublished'>,
  published: State | undefined,
): Verification {
  const { stretches, lostCheckpoints, damagedStates, to } = folded;
  const areLost = lostCheckpoints.length + damagedStates.length > 0;
  const last = stretches.findLast((stretch) => stretch.to === published?.sequence);
  return {
    ...folded,
    differences: last?.differences ?? new Map(),
    isSame: !areLost && stretches.every(({ verdict }) => verdict !== 'different'),
    isPublished: published !== undefined || to === 0,
  };
}

/**
 * The published state, if it can be used.
 *
 * @throws MillraceError kind `corrupt` if it is ahead of the journal, whose last entry is gone then
 */
export async function statePublished(ports: Ports, model: Model): Promise<State | undefined> {
  const key = keys.state(model.name);
  const object = await ports.store.get(key);
  const state = object && (await usableState(ports, model, key, object));
  if (object !== undefined && state === undefined) await assertNotAhead(ports, model, object.body);
  return state;
}

async function assertNotAhead(
  { store }: Ports,
  { name }: Model,
  published: Uint8Array,
): Promise<void> {
  const stated = placeOf(published);
  if (stated?.model !== name || stated.sequence === 0) return;
  if ((await readHeader(store, name, stated.sequence)) !== undefined) return;
  throw new MillraceError(
    'corrupt',
    `${keys.entry(name, stated.sequence)} is missing, and the published state is at entry ` +
      `${stated.sequence}: bring it back before the next message takes its number`,
  );
}

/** What a stored state says that it is; undefined if it is damaged. */
function placeOf(body: Uint8Array): Pick<State, 'model' | 'sequence'> | undefined {
  try {
    return decodeCheckpoint(body);
  } catch (error) {
    if (isOfKind(error, 'corrupt')) return undefined;
    throw error;
  }
}

/** The entries whose states are kept, in order. */
export async function keptSequences({ store }: Ports, { name }: Model): Promise<readonly number[]> {
  const objects = await store.list(keys.checkpoints(name));
  return objects.flatMap(({ key }) => sequenceOfCheckpoint(key) ?? []);
}
