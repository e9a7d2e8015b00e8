import { digestOf } from '../bucket/safetensors.ts';
import { type EntryHeader, isReplacing, type ReplacingHeader } from '../commands/commands.ts';
import type { RetractBody } from '../commands/retract.ts';
import { invalid, invariant } from '../errors.ts';
import { readChallenger, writeChallenger } from '../fold/challenger.ts';
import {
  type Exclusion,
  exclusionOf,
  exclusionsOf,
  type Retraction,
  samplesWithout,
} from '../fold/exclusions.ts';
import { currentState, stateAt } from '../fold/fold.ts';
import { readJob } from '../jobs/record.ts';
import { assertSpec, type Entry } from '../journal/entry.ts';
import { entriesAfter } from '../journal/reading.ts';
import { limits } from '../limits.ts';
import { relearn } from '../model/learn.ts';
import type { Model } from '../model/model.ts';
import type { Ports } from '../ports/ports.ts';
import { canonicalJson } from '../spec/identity.ts';
import type { Parameters } from '../state/state.ts';

/** What a journal holds of a retraction, beyond what was retracted before. */
export type FoundRetracted = {
  /** The first and the last entry that hold some of it. */
  readonly first: EntryHeader;
  readonly last: EntryHeader;
  readonly entries: number;
  readonly samples: number;
  /** The entry up to which was looked. */
  readonly to: number;
  /** Jobs whose promotions are left out with it, since they had learnt some of it. */
  readonly jobs: readonly string[];
  readonly plan: Plan;
};

/**
 * Looks for what is to be retracted, and plans how.
 *
 * @throws MillraceError kind `invalid` if no entry holds it, or all of it was retracted before
 */
export async function findRetracted(
  ports: Ports,
  model: Model,
  without: Retraction,
): Promise<FoundRetracted> {
  const { store } = ports;
  const { name, specHash } = model;
  const now = await currentState(ports, model);
  const earlier = await exclusionsOf(store, now);
  const exclusions = [exclusionOf(without, Number.POSITIVE_INFINITY)];
  const replacing: ReplacingHeader[] = [];
  const holding: EntryHeader[] = [];
  let [to, samples, gone] = [0, 0, 0];
  for await (const entry of entriesAfter(store, name, 0, { ahead: limits.readsAtOnce })) {
    const { header } = entry;
    assertSpec(header, specHash);
    const excluded = countLeft(entry, earlier) - countLeft(entry, [...earlier, ...exclusions]);
    if (excluded > 0) holding.push(header);
    samples += excluded;
    gone += entry.samples.length - countLeft(entry, exclusions);
    to = header.sequence;
    if (isReplacing(header)) replacing.push(header);
  }
  const [first, last] = [holding[0], holding.at(-1)];
  if (first === undefined || last === undefined)
    throw invalid(
      gone > 0
        ? `${name} has unlearnt all of these samples before`
        : `the journal of ${name} holds none of these samples`,
    );
  const jobs = new Set<string>();
  const journal = { ports, model, replacing, leftOut: (job: string) => void jobs.add(job) };
  const plan = await planWithout(journal, to, first.sequence, [exclusionOf(without, to)]);
  return { first, last, entries: holding.length, samples, to, jobs: [...jobs], plan };
}

/** How many samples of an entry are left without some. */
function countLeft(entry: Entry, exclusions: readonly Exclusion[]): number {
  return samplesWithout(entry, exclusions).reduce((sum, own) => sum + own.length, 0);
}

/** A retraction that is ready to be sent. */
export type PreparedRetraction = {
  readonly retract: RetractBody;
  /** The last entry that the weights have learnt. */
  readonly to: number;
  /** How many learnt samples were left out. */
  readonly samples: number;
};

/**
 * Folds the journal again without some of its samples, from the last kept checkpoint before them,
 * and writes the weights to the file that the command `retract` names. A promotion whose job had
 * learnt the samples is left out with them, since nobody can say what its weights would have been.
 *
 * @param found what {@link findRetracted} answered, if it was asked
 * @throws MillraceError as {@link findRetracted}
 */
export async function prepareRetraction(
  ports: Ports,
  model: Model,
  retraction: Retraction,
  found?: FoundRetracted,
): Promise<PreparedRetraction> {
  const { first, to, jobs, samples, plan } =
    found ?? (await findRetracted(ports, model, retraction));
  const parameters = await carryOut(ports, model, plan);
  const name = digestOf(Buffer.from(canonicalJson({ retraction, to }))).slice(0, 16);
  const job = `retract-${name}`;
  const digest = await writeChallenger(ports, model, job, { parameters, caughtUp: to });
  const { messages, samples: hashes } = retraction;
  const retract = {
    job,
    digest,
    from: first.sequence,
    messages: [...messages],
    samples: [...hashes],
    jobs: [...jobs],
  };
  return { retract, to, samples };
}

/** How parameters without some samples are made. */
type Plan =
  /** Those of the model at an entry before the samples. */
  | { readonly at: number }
  /** Those of a promoted job that had not learnt them. */
  | { readonly promoted: Extract<ReplacingHeader, { kind: 'promote' }> }
  /** Others, and what entries hold after them, without the samples. */
  | {
      readonly start: Plan;
      readonly after: number;
      readonly to: number;
      readonly exclusions: readonly Exclusion[];
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

/**
 * How the parameters at an entry would be if the excluded samples, the first of them in `first`, had
 * never come.
 */
async function planWithout(
  journal: Planned,
  sequence: number,
  first: number,
  exclusions: readonly Exclusion[],
): Promise<Plan> {
  if (sequence < first) return { at: sequence };
  const { start, after } = await startOf(journal, sequence, first, exclusions);
  return { start, after, to: sequence, exclusions };
}

/** Parameters that a fold can go on from, and the entry after which it does. */
type Start = { readonly start: Plan; readonly after: number };

/** The last weights before an entry that have learnt nothing of what is excluded. */
async function startOf(
  journal: Planned,
  sequence: number,
  first: number,
  exclusions: readonly Exclusion[],
): Promise<Start> {
  for (const header of journal.replacing.toReversed()) {
    if (header.sequence > sequence || header.sequence < first) continue;
    const start = await startAt(journal, header, first, exclusions);
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
  exclusions: readonly Exclusion[],
): Promise<Start | undefined> {
  const after = header.sequence;
  switch (header.kind) {
    case 'rollback':
      return { start: await planWithout(journal, header.to, first, exclusions), after };
    case 'retract': {
      const both = [...exclusions, exclusionOf(header.without, header.caughtUp)];
      const earliest = Math.min(first, header.from);
      return { start: await planWithout(journal, after - 1, earliest, both), after };
    }
    case 'promote': {
      if (await hasLearnt(journal, header, first, exclusions)) {
        journal.leftOut(header.job);
        return undefined;
      }
      return { start: { promoted: header }, after: header.caughtUp };
    }
  }
}

/** The parameters that a plan leads to. */
async function carryOut(ports: Ports, model: Model, plan: Plan): Promise<Parameters> {
  if ('at' in plan) return stateAt(ports, model, plan.at);
  if ('promoted' in plan) {
    const challenger = await readChallenger(ports.store, model, plan.promoted);
    invariant(
      challenger !== undefined,
      `the challenger of job ${plan.promoted.job} is missing or was changed`,
    );
    return challenger.parameters;
  }
  let parameters = await carryOut(ports, model, plan.start);
  const missed = entriesAfter(ports.store, model.name, plan.after, {
    to: plan.to,
    ahead: limits.readsAtOnce,
  });
  for await (const entry of missed) {
    for (const own of samplesWithout(entry, plan.exclusions)) {
      if (own.length > 0) parameters = await relearn(model, parameters, own);
    }
  }
  return parameters;
}

/**
 * Whether a promoted job had learnt what is excluded. One that began with new weights over a
 * dataset in S3 has learnt of the stream only what came since it began.
 */
async function hasLearnt(
  { ports: { store }, model: { name } }: Planned,
  { job, caughtUp }: Extract<ReplacingHeader, { kind: 'promote' }>,
  first: number,
  exclusions: readonly Exclusion[],
): Promise<boolean> {
  if (caughtUp < first) return false;
  const record = await readJob(store, name, job);
  if (record?.start !== 'fresh' || record.dataset === 'journal') return true;
  for await (const entry of entriesAfter(store, name, record.sequence, { to: caughtUp })) {
    if (countLeft(entry, exclusions) < entry.samples.length) return true;
  }
  return false;
}
