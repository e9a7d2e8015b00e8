import { keys, sequenceOfCheckpoint } from '../bucket/keys.ts';
import { MillraceError } from '../errors.ts';
import { namedState, readKept } from '../fold/arithmetics.ts';
import { lastCheckpoint, usableState } from '../fold/checkpoints.ts';
import { applyEntry } from '../fold/fold.ts';
import { entriesAfter } from '../journal/reading.ts';
import { limits } from '../limits.ts';
import { initialState, type Model, modelOfState } from '../model/model.ts';
import type { Ports } from '../ports/ports.ts';
import { encodeCheckpoint } from '../state/checkpoint-file.ts';
import { comparable } from '../state/ledger.ts';
import type { State } from '../state/state.ts';

/**
 * What became of a comparison. `same`: to the bit. `rounding`: another arithmetic made some of it,
 * and the weights differ by less than {@link tolerance}. `unknown`: they differ by more, which steps
 * of training can make of rounding; only that arithmetic can tell. `different`: what no rounding
 * explains.
 */
export type Verdict = 'same' | 'rounding' | 'unknown' | 'different';

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
  readonly verdict: Verdict;
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
  /** Entries that name a checkpoint which is missing or was changed. */
  readonly lostCheckpoints: readonly number[];
  /** By tensor, the largest difference of an element from the published state. */
  readonly differences: ReadonlyMap<string, number>;
  /** Whether nothing was found that no rounding explains. */
  readonly isSame: boolean;
  /** Whether there is a published state that can be used; it is made again by the next update. */
  readonly isPublished: boolean;
};

/** Differences that rounding makes of a short stretch: a share of each tensor's largest element. */
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
  const start = isAll
    ? initialState(model)
    : await lastCheckpoint(ports, model, Math.max(0, end - 1));
  const from = start.sequence;
  const kept = await keptSequences(ports, model);
  const fold = startFold(start, (await modelOfState(ports, model, start)).compiled.engine);
  const lostCheckpoints: number[] = [];
  let samples = 0;
  for await (const entry of entriesAfter(ports.store, model.name, from, { ahead })) {
    const { checkpoint, engine } = entry.header;
    const before = fold.state;
    const named =
      checkpoint === undefined
        ? undefined
        : await namedState(ports, model, before.sequence, checkpoint);
    if (checkpoint !== undefined && named === undefined)
      lostCheckpoints.push(entry.header.sequence);
    const next = await applyEntry(ports, { model }, before, entry);
    fold.add(next, { engine, isNamed: named !== undefined, own: next.arithmetic });
    samples += entry.samples.length;
    const { sequence } = fold.state;
    if (sequence === end && published !== undefined) fold.compare(published);
    else if (kept.has(sequence)) {
      const stored = await readKept(ports, model, sequence);
      if (stored !== undefined) fold.compare(stored.state);
    }
    onEntry(sequence - from, Math.max(end, sequence) - from);
  }
  const { stretches, state } = fold;
  if (state.sequence < end)
    throw new MillraceError(
      'corrupt',
      `${keys.entry(model.name, state.sequence + 1)} is missing, and the published state is at entry ${end}`,
    );
  return {
    from,
    to: state.sequence,
    samples,
    stretches,
    lostCheckpoints,
    differences: stretches.findLast(({ to }) => to === end)?.differences ?? new Map(),
    isSame:
      lostCheckpoints.length === 0 && stretches.every(({ verdict }) => verdict !== 'different'),
    isPublished: published !== undefined || state.sequence === 0,
  };
}

/** How an entry was folded. */
type Folded = {
  /** The arithmetic that made the entry, and the one that folded it. */
  readonly engine: string;
  readonly own: string | undefined;
  /** Whether the entry named the checkpoint that it goes on from, and it is there. */
  readonly isNamed: boolean;
};

/** A fold, and what it has been held against. */
type Fold = {
  readonly state: State;
  readonly stretches: readonly Stretch[];
  readonly add: (state: State, how: Folded) => void;
  readonly compare: (stored: State) => void;
};

/**
 * A fold from a stored state. Its bits are those of the model as long as it has the arithmetic of
 * all that it folds; where it has not, it goes on from what is stored, and has them again where an
 * entry names the checkpoint that it goes on from.
 */
function startFold(start: State, first: string): Fold {
  let own = first;
  const stretches: Stretch[] = [];
  let state = start;
  let begin = start.sequence;
  let others = new Set<string>();
  let isExact = start.sequence === 0 || start.arithmetic === own;
  return {
    get state() {
      return state;
    },
    stretches,
    add(next, { engine, isNamed, own: arithmetic = own }) {
      own = arithmetic;
      if (isNamed) isExact = true;
      if (engine !== own) {
        isExact = false;
        others.add(engine);
      }
      state = next;
    },
    compare(stored) {
      const { arithmetic = own } = stored;
      if (arithmetic !== own) others.add(arithmetic);
      const isBitwise = isExact && arithmetic === own;
      stretches.push(stretchOf(state, stored, { from: begin, others: [...others], isBitwise }));
      begin = state.sequence;
      others = new Set();
      if (!isExact) state = stored;
    },
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

type Compared = {
  readonly from: number;
  readonly others: readonly string[];
  /** Whether the bits must be the same. */
  readonly isBitwise: boolean;
};

function stretchOf(folded: State, stored: State, { from, others, isBitwise }: Compared): Stretch {
  const differences = differencesOf(folded, stored);
  const relative = [...differences].map(([name, difference]) => {
    const data = stored.tensors[name]?.data ?? new Float32Array();
    const most = data.reduce((largest, each) => Math.max(largest, Math.abs(each)), smallest);
    return difference / most;
  });
  const largest = Math.max(0, ...relative);
  const verdict = isSameState(folded, stored)
    ? 'same'
    : isBitwise || !isSameState(withRoundingOf(folded, stored), stored)
      ? 'different'
      : largest <= tolerance
        ? 'rounding'
        : 'unknown';
  return { from, to: folded.sequence, otherArithmetics: others, differences, largest, verdict };
}

/** What tensors of zeros are compared with. */
const smallest = 1e-6;

/**
 * A state with what rounding changes taken from another one: weights, slots, and the scores that
 * they earned. Statistics and the labels' own scores are computed alike by all.
 */
function withRoundingOf(folded: State, { tensors, scores, lately, outcomes }: State): State {
  const { samples, weight } = folded.scores;
  return {
    ...folded,
    tensors,
    scores: { ...scores, samples, weight },
    ...(folded.outcomes && outcomes && { outcomes }),
    ...(folded.lately && lately && { lately: { ...folded.lately, model: lately.model } }),
  };
}

/**
 * Whether states are the same to the bit. What release 0.1.0 published does not name its entry, and
 * those before 0.4 remember fewer digests of a producer's numbers.
 */
function isSameState(folded: State, published: State): boolean {
  const [own, other] = comparable(folded.ledger, published.ledger);
  const { nonce, arithmetic, entryArithmetic } = published;
  const named = { ...folded, nonce, arithmetic, entryArithmetic, ledger: own };
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
