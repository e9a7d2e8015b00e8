import { digestOf } from '../bucket/safetensors.ts';
import { type EntryHeader, isReplacing, type ReplacingHeader } from '../commands/commands.ts';
import type { RetractBody } from '../commands/retract.ts';
import { invalid } from '../errors.ts';
import { writeChallenger } from '../fold/challenger.ts';
import { exclusionOf, exclusionsOf, type Retraction } from '../fold/exclusions.ts';
import { currentState } from '../fold/fold.ts';
import { entriesAfter } from '../journal/reading.ts';
import { limits } from '../limits.ts';
import type { Model } from '../model/model.ts';
import type { Ports } from '../ports/ports.ts';
import { canonicalJson } from '../spec/identity.ts';
import { carryOut, countExcluded, originOf, type Plan, planWithout } from './plan-retraction.ts';

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
  const { name } = model;
  const now = await currentState(ports, model);
  const earlier = await exclusionsOf(store, now);
  const own = exclusionOf(without, Number.POSITIVE_INFINITY);
  const replacing: ReplacingHeader[] = [];
  const holding: EntryHeader[] = [];
  let [to, samples, isNamed] = [0, 0, false];
  for await (const entry of entriesAfter(store, name, 0, { ahead: limits.readsAtOnce })) {
    const { header } = entry;
    const excluded = countExcluded(entry, own, earlier);
    isNamed ||= excluded !== undefined;
    if ((excluded ?? 0) > 0) holding.push(header);
    samples += excluded ?? 0;
    to = header.sequence;
    if (isReplacing(header)) replacing.push(header);
  }
  const [first, last] = [holding[0], holding.at(-1)];
  if (first === undefined || last === undefined)
    throw invalid(
      isNamed
        ? `${name} has unlearnt all of these samples before`
        : `the journal of ${name} holds none of these samples, written as they were sent: the text ` +
            '"1", as a CSV sends it, is another than the number 1, and than "1.0"',
    );
  const jobs = new Set<string>();
  const journal = { ports, model, replacing, leftOut: (job: string) => void jobs.add(job) };
  const plan = await planWithout(journal, to, first.sequence, {
    exclusions: [exclusionOf(without, to)],
    gone: new Set(),
  });
  return { first, last, entries: holding.length, samples, to, jobs: [...jobs], plan };
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
 * @param known what {@link findRetracted} answered, if it was asked, and who wants to hear of each
 *   entry that is learnt again
 * @throws MillraceError as {@link findRetracted}
 */
export async function prepareRetraction(
  ports: Ports,
  model: Model,
  retraction: Retraction,
  {
    found,
    onEntry,
  }: {
    readonly found?: FoundRetracted;
    readonly onEntry?: ((sequence: number) => void) | undefined;
  } = {},
): Promise<PreparedRetraction> {
  const { first, to, jobs, samples, plan } =
    found ?? (await findRetracted(ports, model, retraction));
  const parameters = await carryOut(ports, model, plan, onEntry);
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
    origin: await originOf(ports, model, plan),
  };
  return { retract, to, samples };
}
