import { keys } from '../bucket/keys.ts';
import { ifOutOfTime } from '../errors.ts';
import { namedState, readKept } from '../fold/arithmetics.ts';
import type { ShouldStop } from '../fold/catch-up.ts';
import { applyEntry } from '../fold/fold.ts';
import { countSamples } from '../journal/entry.ts';
import { entriesAfter } from '../journal/reading.ts';
import { limits } from '../limits.ts';
import { type Model, modelOfState } from '../model/model.ts';
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

/** Differences that rounding makes of a short stretch: a share of each tensor's largest element. */
export const tolerance = 0.01;

/** What a fold is held against on its way. */
export type StoredStates = {
  /** The entries whose states are kept, if there are such. */
  readonly kept: ReadonlySet<number>;
  readonly published?: State | undefined;
};

/** What a fold that was broken off has to know to go on. */
export type FoldProgress = {
  /** The arithmetic that it has. */
  readonly own: string;
  /** The entry that what it was held against last is of. */
  readonly begin: number;
  /** Other arithmetics since then. */
  readonly others: readonly string[];
  /** Whether its bits are those of the model. */
  readonly isExact: boolean;
  readonly samples: number;
  readonly lostCheckpoints: readonly number[];
  readonly damagedStates: readonly number[];
};

/** What a fold came to. */
export type ComparedFold = {
  readonly state: State;
  /** Samples of its entries. */
  readonly samples: number;
  readonly stretches: readonly Stretch[];
  /** Entries that name a checkpoint which is missing or was changed. */
  readonly lostCheckpoints: readonly number[];
  /** Entries whose kept state is damaged, or that of another entry. */
  readonly damagedStates: readonly number[];
  /** Absent once the last entry was reached. */
  readonly rest?: FoldProgress;
};

/**
 * Folds a journal on from a state, and compares the result with the stored states on the way.
 *
 * @param options `to` is the last entry, the journal's unless given; `before` is what it was when it
 *   was broken off; `onEntry` is told each entry that is done; `mustStop` is asked while one is folded
 * @throws MillraceError kind `corrupt` if the journal cannot be folded
 */
export async function foldAndCompare(
  ports: Ports,
  model: Model,
  { start, stored }: { readonly start: State; readonly stored: StoredStates },
  {
    to,
    before,
    onEntry = () => undefined,
    mustStop,
  }: {
    readonly to?: number;
    readonly before?: FoldProgress | undefined;
    readonly onEntry?: (sequence: number) => void;
    readonly mustStop?: ShouldStop;
  } = {},
): Promise<ComparedFold> {
  const { engine: first } = (await modelOfState(ports, model, start)).compiled;
  const fold = startFold(start, before ?? firstProgress(start, first));
  const lostCheckpoints = [...(before?.lostCheckpoints ?? [])];
  const damagedStates = [...(before?.damagedStates ?? [])];
  let samples = before?.samples ?? 0;
  const found = () => ({ samples, lostCheckpoints, damagedStates });
  const result = () => ({ state: fold.state, stretches: fold.stretches, ...found() });
  const rest = () => ({ ...fold.progress(), ...found() });
  const reading = { ahead: limits.readsAtOnce, ...(to === undefined ? {} : { to }) };
  for await (const entry of entriesAfter(ports.store, model.name, start.sequence, reading)) {
    const { checkpoint, engine } = entry.header;
    const { state } = fold;
    const named =
      checkpoint === undefined
        ? undefined
        : await namedState(ports, model, state.sequence, checkpoint);
    const folding = { model, shouldStop: mustStop };
    const next = await applyEntry(ports, folding, state, entry).catch(ifOutOfTime);
    if (next === 'out-of-time') return { ...result(), rest: rest() };
    if (checkpoint !== undefined && named === undefined)
      lostCheckpoints.push(entry.header.sequence);
    fold.add(next, { engine, isNamed: named !== undefined, own: next.arithmetic });
    samples += countSamples(entry.samples);
    const { states, isDamaged } = await storedAt(ports, model, stored, fold.state.sequence);
    if (isDamaged) damagedStates.push(fold.state.sequence);
    for (const other of states) fold.compare(other);
    onEntry(fold.state.sequence);
    if (fold.state.sequence !== to && mustStop?.()) return { ...result(), rest: rest() };
  }
  return result();
}

function firstProgress(start: State, own: string): FoldProgress {
  const isExact = start.sequence === 0 || start.arithmetic === own;
  const { sequence: begin } = start;
  const found = { samples: 0, lostCheckpoints: [], damagedStates: [] };
  return { own, begin, others: [], isExact, ...found };
}

/** The states that are stored for an entry, and whether the one that is kept is none of it. */
async function storedAt(
  ports: Ports,
  model: Model,
  { kept, published }: StoredStates,
  sequence: number,
): Promise<{ readonly states: readonly State[]; readonly isDamaged: boolean }> {
  const last = published?.sequence === sequence ? [published] : [];
  if (!kept.has(sequence)) return { states: last, isDamaged: false };
  const own = await readKept(ports, model, sequence);
  if (own === undefined) {
    // (A stretch may end at the published state, where none is kept.)
    const object = await ports.store.get(keys.checkpoint(model.name, sequence));
    return { states: last, isDamaged: object !== undefined };
  }
  const isAgain = last.some((state) => isSameState(own.state, state));
  return { states: isAgain ? last : [own.state, ...last], isDamaged: false };
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
  readonly progress: () => Pick<FoldProgress, 'own' | 'begin' | 'others' | 'isExact'>;
};

/**
 * A fold from a stored state. Its bits are those of the model as long as it has the arithmetic of
 * all that it folds; where it has not, it goes on from what is stored, and has them again where an
 * entry names the checkpoint that it goes on from.
 */
function startFold(start: State, before: FoldProgress): Fold {
  let { own, begin, isExact } = before;
  const stretches: Stretch[] = [];
  let state = start;
  let others = new Set(before.others);
  return {
    get state() {
      return state;
    },
    stretches,
    progress: () => ({ own, begin, others: [...others], isExact }),
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
 * Whether states are the same to the bit. What release 0.1.0 published does not name its entry,
 * those before 0.4 remember fewer digests of a producer's numbers, and those before 0.29 nothing of
 * what put other weights in place, which what is folded from theirs says in part.
 */
function isSameState(folded: State, published: State): boolean {
  const [own, other] = comparable(folded.ledger, published.ledger);
  const { nonce, arithmetic, entryArithmetic, replaced } = published;
  const named = { ...folded, nonce, arithmetic, entryArithmetic, replaced, ledger: own };
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
