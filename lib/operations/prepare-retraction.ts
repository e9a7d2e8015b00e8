import { digestOf } from '../bucket/safetensors.ts';
import { type EntryHeader, isReplacing, type ReplacingHeader } from '../commands/commands.ts';
import type { RetractBody } from '../commands/retract.ts';
import { invalid, invariant } from '../errors.ts';
import { readChallenger, writeChallenger } from '../fold/challenger.ts';
import {
  type Exclusion,
  exclusionOf,
  type Retraction,
  samplesWithout,
} from '../fold/exclusions.ts';
import { stateAt } from '../fold/fold.ts';
import { readJob } from '../jobs/record.ts';
import { assertSpec, type Entry } from '../journal/entry.ts';
import { entriesAfter } from '../journal/reading.ts';
import { limits } from '../limits.ts';
import { relearn } from '../model/learn.ts';
import type { Model } from '../model/model.ts';
import type { Ports } from '../ports/ports.ts';
import { canonicalJson } from '../spec/identity.ts';
import type { Parameters } from '../state/state.ts';

/** What a journal holds of a retraction. */
export type FoundRetracted = {
  /** The first and the last entry that hold some of it. */
  readonly first: EntryHeader;
  readonly last: EntryHeader;
  readonly entries: number;
  readonly samples: number;
  /** The entry up to which was looked. */
  readonly to: number;
  /** The entries that put other weights in place. */
  readonly replacing: readonly ReplacingHeader[];
};

/**
 * Looks for what is to be retracted. @throws MillraceError kind `invalid` if no entry holds it
 */
export async function findRetracted(
  { store }: Ports,
  { name, specHash }: Model,
  without: Retraction,
): Promise<FoundRetracted> {
  const exclusions = [exclusionOf(without, Number.POSITIVE_INFINITY)];
  const replacing: ReplacingHeader[] = [];
  const holding: EntryHeader[] = [];
  let [to, samples] = [0, 0];
  for await (const entry of entriesAfter(store, name, 0, { ahead: limits.readsAtOnce })) {
    const { header } = entry;
    assertSpec(header, specHash);
    const excluded = countExcluded(entry, exclusions);
    if (excluded > 0) holding.push(header);
    samples += excluded;
    to = header.sequence;
    if (isReplacing(header)) replacing.push(header);
  }
  const [first, last] = [holding[0], holding.at(-1)];
  if (first === undefined || last === undefined)
    throw invalid(`the journal of ${name} holds none of these samples`);
  return { first, last, entries: holding.length, samples, to, replacing };
}

function countExcluded(entry: Entry, exclusions: readonly Exclusion[]): number {
  const left = samplesWithout(entry, exclusions).reduce((sum, own) => sum + own.length, 0);
  return entry.samples.length - left;
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
 * @throws MillraceError kind `invalid` if no entry holds them
 */
export async function prepareRetraction(
  ports: Ports,
  model: Model,
  retraction: Retraction,
  found?: FoundRetracted,
): Promise<PreparedRetraction> {
  const { first, to, replacing, samples } =
    found ?? (await findRetracted(ports, model, retraction));
  const from = first.sequence;
  const jobs = new Set<string>();
  const fold: Fold = { ports, model, replacing, leftOut: (job) => void jobs.add(job) };
  const parameters = await parametersWithout(fold, to, from, [exclusionOf(retraction, to)]);
  const name = digestOf(Buffer.from(canonicalJson({ retraction, to }))).slice(0, 16);
  const job = `retract-${name}`;
  const digest = await writeChallenger(ports, model, job, { parameters, caughtUp: to });
  const { messages, samples: hashes } = retraction;
  const retract = {
    job,
    digest,
    from,
    messages: [...messages],
    samples: [...hashes],
    jobs: [...jobs],
  };
  return { retract, to, samples };
}

/** What a fold without some samples works with. */
type Fold = {
  readonly ports: Ports;
  readonly model: Model;
  readonly replacing: readonly ReplacingHeader[];
  /** Called with each job whose promotion is left out. */
  readonly leftOut: (job: string) => void;
};

/**
 * The parameters at an entry as they would be if the excluded samples, the first of them in
 * `first`, had never come.
 */
async function parametersWithout(
  fold: Fold,
  sequence: number,
  first: number,
  exclusions: readonly Exclusion[],
): Promise<Parameters> {
  const { ports, model } = fold;
  if (sequence < first) return stateAt(ports, model, sequence);
  const start = await startOf(fold, sequence, first, exclusions);
  let { parameters } = start;
  const missed = entriesAfter(ports.store, model.name, start.at, {
    to: sequence,
    ahead: limits.readsAtOnce,
  });
  for await (const entry of missed) {
    for (const own of samplesWithout(entry, exclusions)) {
      if (own.length > 0) parameters = await relearn(model, parameters, own);
    }
  }
  return parameters;
}

/** Parameters that a fold can go on from, and the entry that they are at. */
type Start = { readonly parameters: Parameters; readonly at: number };

/** The last weights before an entry that have learnt nothing of what is excluded. */
async function startOf(
  fold: Fold,
  sequence: number,
  first: number,
  exclusions: readonly Exclusion[],
): Promise<Start> {
  for (const header of fold.replacing.toReversed()) {
    if (header.sequence > sequence || header.sequence < first) continue;
    const start = await startAt(fold, header, first, exclusions);
    if (start !== undefined) return start;
  }
  return { parameters: await stateAt(fold.ports, fold.model, first - 1), at: first - 1 };
}

/**
 * The weights that an entry put in place, as they would be without the excluded samples; undefined
 * if that cannot be known.
 */
async function startAt(
  fold: Fold,
  header: ReplacingHeader,
  first: number,
  exclusions: readonly Exclusion[],
): Promise<Start | undefined> {
  const { ports, model } = fold;
  const at = header.sequence;
  switch (header.kind) {
    case 'rollback':
      return { parameters: await parametersWithout(fold, header.to, first, exclusions), at };
    case 'retract': {
      const both = [...exclusions, exclusionOf(header.without, header.caughtUp)];
      const earliest = Math.min(first, header.from);
      return { parameters: await parametersWithout(fold, at - 1, earliest, both), at };
    }
    case 'promote': {
      if (await hasLearnt(fold, header, first, exclusions)) {
        fold.leftOut(header.job);
        return undefined;
      }
      const challenger = await readChallenger(ports.store, model, header);
      invariant(
        challenger !== undefined,
        `the challenger of job ${header.job} is missing or was changed`,
      );
      return { parameters: challenger.parameters, at: header.caughtUp };
    }
  }
}

/**
 * Whether a promoted job had learnt what is excluded. One that began with new weights over a
 * dataset in S3 has learnt of the stream only what came since it began.
 */
async function hasLearnt(
  { ports: { store }, model: { name } }: Fold,
  { job, caughtUp }: Extract<ReplacingHeader, { kind: 'promote' }>,
  first: number,
  exclusions: readonly Exclusion[],
): Promise<boolean> {
  if (caughtUp < first) return false;
  const record = await readJob(store, name, job);
  if (record?.start !== 'fresh' || record.dataset === 'journal') return true;
  for await (const entry of entriesAfter(store, name, record.sequence, { to: caughtUp })) {
    if (countExcluded(entry, exclusions) > 0) return true;
  }
  return false;
}
