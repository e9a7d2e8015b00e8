import { keys } from '../bucket/keys.ts';
import type { ReplacingHeader } from '../commands/commands.ts';
import { isFiniteState } from '../engine/finite.ts';
import { invalid, lost } from '../errors.ts';
import { relearnEntry } from '../fold/catch-up.ts';
import { readChallenger } from '../fold/challenger.ts';
import { type Exclusion, exclusionOf, samplesWithout } from '../fold/exclusions.ts';
import { stateAt } from '../fold/fold.ts';
import { readJob } from '../jobs/record.ts';
import { countSamples, type Entry } from '../journal/entry.ts';
import { entriesAfter } from '../journal/reading.ts';
import { limits } from '../limits.ts';
import { type Model, modelOf } from '../model/model.ts';
import type { Ports } from '../ports/ports.ts';
import {
  jobInForce,
  type Origin,
  type Parameters,
  type Rollback,
  rollbackInForce,
} from '../state/state.ts';

/** How parameters without some samples are made. */
export type Plan =
  /** Those of the model at an entry before the samples. */
  | { readonly at: number }
  /** Those of a promoted job that had not learnt them. */
  | { readonly promoted: Extract<ReplacingHeader, { kind: 'promote' }> }
  /** Those with which the spec of a hash begins. */
  | { readonly fresh: string }
  /** Others, and what entries hold after them, without the samples. */
  | {
      readonly start: Plan;
      readonly after: number;
      readonly to: number;
      readonly exclusions: readonly Exclusion[];
      /** The hash of the spec that learns them; each entry's own unless given. */
      readonly by?: string | undefined;
      /** The rollback that put the first of them in place. */
      readonly rollback?: Rollback | undefined;
    };

/** A journal for which a plan is made. */
type Planned = {
  readonly ports: Ports;
  readonly model: Model;
  /** The entries that put other weights in place. */
  readonly replacing: readonly ReplacingHeader[];
  /** Called with each job whose promotion is left out. */
  readonly leftOut: (job: string) => void;
};

/** What the weights at an entry are to be without. */
type Without = {
  readonly exclusions: readonly Exclusion[];
  /** Jobs that an earlier retraction left out: their promotions are in no weights after it. */
  readonly gone: ReadonlySet<string>;
};

/**
 * How the parameters at an entry would be if the excluded samples, the first of them in `first`, had
 * never come.
 */
export async function planWithout(
  journal: Planned,
  sequence: number,
  first: number,
  without: Without,
): Promise<Plan> {
  if (sequence < first) return { at: sequence };
  const { exclusions, ...start } = await startOf(journal, sequence, first, without);
  return { ...start, to: sequence, exclusions: exclusions ?? without.exclusions };
}

/** Parameters that a fold can go on from, the entry after which it does, and by which spec. */
type Start = {
  readonly start: Plan;
  readonly after: number;
  readonly by?: string;
  readonly rollback?: Rollback;
  /** What is left out from there on, if that is more than what is left out anyway. */
  readonly exclusions?: readonly Exclusion[];
};

/** The last weights before an entry that have learnt nothing of what is excluded. */
async function startOf(
  journal: Planned,
  sequence: number,
  first: number,
  without: Without,
): Promise<Start> {
  for (const header of journal.replacing.toReversed()) {
    if (header.sequence > sequence || header.sequence < first) continue;
    if (header.kind === 'promote' && without.gone.has(header.job)) continue;
    const start = await startAt(journal, header, first, without);
    if (start !== undefined) return start;
  }
  return { start: { at: first - 1 }, after: first - 1 };
}

/**
 * The weights that an entry put in place, as they would be without the excluded samples; undefined
 * if that cannot be known.
 */
async function startAt(
  journal: Planned,
  header: ReplacingHeader,
  first: number,
  without: Without,
): Promise<Start | undefined> {
  const after = header.sequence;
  switch (header.kind) {
    case 'rollback':
      return {
        start: await planWithout(journal, header.to, first, without),
        after,
        rollback: { sequence: after, to: header.to },
      };
    case 'retract': {
      const earliest = Math.min(first, header.from);
      const both = withRetraction(without, header);
      return { start: await planWithout(journal, after - 1, earliest, both), after };
    }
    case 'spec':
      return startOfSpec(journal, header, first, without);
    case 'promote': {
      if (await hasLearnt(journal, header, without)) {
        journal.leftOut(header.job);
        return undefined;
      }
      return { start: { promoted: header }, after: header.caughtUp };
    }
  }
}

/** The weights that another spec came with: the journal's by it, or those of the spec before. */
async function startOfSpec(
  journal: Planned,
  { to, from, caughtUp }: Extract<ReplacingHeader, { kind: 'spec' }>,
  first: number,
  without: Without,
): Promise<Start> {
  if (from === 'weights')
    return { start: await planWithout(journal, caughtUp, first, without), after: caughtUp, by: to };
  const { exclusions } = withRetractionsUpTo(journal, caughtUp, without);
  return { start: { fresh: to }, after: 0, by: to, exclusions };
}

/** Where the parameters that a plan leads to come from: a job, and a rollback. */
export async function originOf(ports: Ports, model: Model, plan: Plan): Promise<Origin> {
  if ('at' in plan) {
    const state = await stateAt(ports, model, plan.at);
    return { promoted: jobInForce(state), rollback: rollbackInForce(state) };
  }
  if ('promoted' in plan) {
    const { job, sequence } = plan.promoted;
    return { promoted: { job, sequence } };
  }
  // Another spec has learnt the journal anew, or what it was given.
  if ('fresh' in plan || plan.by !== undefined) return {};
  const origin = await originOf(ports, model, plan.start);
  return plan.rollback === undefined ? origin : { ...origin, rollback: plan.rollback };
}

/** The parameters that a plan leads to. @param onEntry is told each entry that was learnt again */
export async function carryOut(
  ports: Ports,
  model: Model,
  plan: Plan,
  onEntry: (sequence: number) => void = () => undefined,
): Promise<Parameters> {
  if ('at' in plan) return stateAt(ports, model, plan.at);
  if ('promoted' in plan) {
    const challenger = await readChallenger(ports.store, model, plan.promoted);
    if (challenger === undefined) throw lost(keys.challenger(model.name, plan.promoted.job));
    return challenger.parameters;
  }
  if ('fresh' in plan) return (await knownModel(ports, model, plan.fresh)).initial;
  let parameters = await carryOut(ports, model, plan.start, onEntry);
  const missed = entriesAfter(ports.store, model.name, plan.after, {
    to: plan.to,
    ahead: limits.readsAtOnce,
  });
  for await (const entry of missed) {
    const own = await knownModel(ports, model, plan.by ?? entry.header.spec);
    const messages = samplesWithout(entry, plan.exclusions);
    const { header } = entry;
    parameters = await relearnEntry(ports, own, parameters, { header, messages });
    if (!isFiniteState(parameters.tensors))
      throw invalid(
        `${model.name} cannot be without these samples alone: entry ${header.sequence}, learnt ` +
          'without them, leaves weights that are not finite; unlearn what is out of all proportion ' +
          'there, too',
      );
    onEntry(entry.header.sequence);
  }
  return parameters;
}

async function knownModel(ports: Ports, model: Model, hash: string): Promise<Model> {
  const own = await modelOf(ports, model, hash);
  if (own === undefined) throw lost(keys.laterSpec(model.name, hash));
  return own;
}

/** Without what was retracted up to an entry, too. */
function withRetractionsUpTo({ replacing }: Planned, sequence: number, without: Without): Without {
  return replacing
    .filter((header) => header.kind === 'retract')
    .filter((header) => header.sequence <= sequence)
    .reduce(withRetraction, without);
}

type Retracting = Extract<ReplacingHeader, { kind: 'retract' }>;

/** Without what an earlier retraction left out, too. */
function withRetraction({ exclusions, gone }: Without, { without, caughtUp }: Retracting): Without {
  return {
    exclusions: [...exclusions, exclusionOf(without, caughtUp)],
    gone: new Set([...gone, ...without.jobs]),
  };
}

/**
 * Whether a promoted job had learnt what is excluded: of the stream since it began, of the journal
 * if that was its dataset, or by the weights that it began with.
 */
async function hasLearnt(
  journal: Planned,
  { job, caughtUp }: Extract<ReplacingHeader, { kind: 'promote' }>,
  without: Without,
): Promise<boolean> {
  const { ports, model } = journal;
  const record = await readJob(ports.store, model.name, job);
  if (record === undefined) return true;
  const { sequence: began, start, dataset } = record;
  if (await holdSome(journal, began, caughtUp, without)) return true;
  if (dataset === 'journal' && (await holdSome(journal, 0, began, without))) return true;
  return start !== 'fresh' && (await weightsHold(journal, began, without));
}

/** Whether the weights at an entry have learnt some of what is excluded. */
async function weightsHold(journal: Planned, sequence: number, without: Without): Promise<boolean> {
  const last = journal.replacing.findLast(
    (header) =>
      header.sequence <= sequence && !(header.kind === 'promote' && without.gone.has(header.job)),
  );
  if (last === undefined) return holdSome(journal, 0, sequence, without);
  const isOfFile = last.kind === 'promote' || last.kind === 'spec';
  const after = isOfFile ? last.caughtUp : last.sequence;
  if (await holdSome(journal, after, sequence, without)) return true;
  switch (last.kind) {
    case 'rollback':
      return weightsHold(journal, last.to, without);
    case 'promote':
      return hasLearnt(journal, last, without);
    case 'spec':
      return last.from === 'weights'
        ? weightsHold(journal, last.caughtUp, without)
        : holdSome(journal, 0, last.caughtUp, withRetractionsUpTo(journal, last.caughtUp, without));
    case 'retract':
      return weightsHold(journal, last.sequence - 1, withRetraction(without, last));
  }
}

/** Whether entries hold some of what is excluded, beyond what was unlearnt before. */
async function holdSome(
  { ports: { store }, model: { name } }: Planned,
  after: number,
  to: number,
  { exclusions: [own, ...earlier] }: Without,
): Promise<boolean> {
  if (own === undefined) return false;
  for await (const entry of entriesAfter(store, name, after, { to, ahead: limits.readsAtOnce }))
    if ((countExcluded(entry, own, earlier) ?? 0) > 0) return true;
  return false;
}

/**
 * How many samples of an entry are excluded, beyond what was unlearnt before; undefined if it holds
 * none of them.
 */
export function countExcluded(
  entry: Entry,
  own: Exclusion,
  earlier: readonly Exclusion[],
): number | undefined {
  // Most entries hold none: their samples are looked at once.
  if (countLeft(entry, [own]) === countSamples(entry.samples)) return undefined;
  return countLeft(entry, earlier) - countLeft(entry, [own, ...earlier]);
}

/** How many samples of an entry are left without some. */
function countLeft(entry: Entry, exclusions: readonly Exclusion[]): number {
  return countSamples(samplesWithout(entry, exclusions));
}
