import { keys } from '../../lib/bucket/keys.ts';
import { isAmong as isSampleAmong } from '../../lib/fold/exclusions.ts';
import { allOf, type Entry } from '../../lib/journal/entry.ts';
import type { Bucket } from '../support/bucket.ts';

/** Samples by their places, `<entry>/<line>`. */
type Places = Set<string>;
type Promotion = Extract<Entry['header'], { kind: 'promote' }>;
type Retracted = Extract<Entry['header'], { kind: 'retract' }>['without'];

/** The samples that the weights at an entry have learnt. @param gone jobs that were left out */
function learntAt(
  bucket: Bucket,
  entries: readonly Entry[],
  sequence: number,
  gone: ReadonlySet<string> = new Set(),
): Places {
  let held: Places = new Set();
  for (const entry of entries.slice(0, sequence)) {
    const { header } = entry;
    if (header.kind === 'samples') for (const place of placesOf(entry)) held.add(place);
    else if (header.kind === 'rollback') held = learntAt(bucket, entries, header.to, gone);
    else if (header.kind === 'retract') {
      const both = new Set([...gone, ...header.without.jobs]);
      held = without(entries, learntAt(bucket, entries, header.sequence - 1, both), header);
    } else if (header.kind === 'spec') {
      const own = header.from === 'weights' ? header.caughtUp : 0;
      const before = learntAt(bucket, entries, header.caughtUp, gone);
      // What a spec relearns is all that the stream taught, but for what was retracted by then.
      const relearnt = entries.slice(own, header.sequence - 1).flatMap(placesOf);
      held = new Set(header.from === 'weights' ? [...before, ...relearnt] : relearnt);
      for (const { header: each } of entries.slice(0, header.caughtUp))
        if (each.kind === 'retract' && header.from === 'journal')
          held = without(entries, held, each);
    } else if (!gone.has(header.job)) {
      const caughtUp = entries.slice(header.caughtUp, header.sequence - 1).flatMap(placesOf);
      held = new Set([...learntByJob(bucket, entries, header, gone), ...caughtUp]);
    }
  }
  return held;
}

/** The samples that a job's weights had learnt, before its promotion caught up. */
export function learntByJob(
  bucket: Bucket,
  entries: readonly Entry[],
  header: Promotion,
  gone: ReadonlySet<string> = new Set(),
): Places {
  const { start, dataset, began } = recordOf(bucket, header);
  const before = start === 'fresh' ? [] : learntAt(bucket, entries, began, gone);
  let journal: Places = new Set(
    dataset === 'journal' ? entries.slice(0, began).flatMap(placesOf) : [],
  );
  for (const { header: each } of entries.slice(0, began))
    if (each.kind === 'retract') journal = without(entries, journal, each);
  const since = entries.slice(began, header.caughtUp).flatMap(placesOf);
  return new Set([...before, ...journal, ...since]);
}

const placesOf = ({ header, samples }: Entry) =>
  allOf(samples).map((_, line) => `${header.sequence}/${line}`);

/** Samples but for those that a retraction left out. */
function without(
  entries: readonly Entry[],
  places: Places,
  header: Extract<Entry['header'], { kind: 'retract' }>,
): Places {
  const isLeft = (place: string) =>
    Number(place.split('/')[0]) > header.caughtUp || !isAmong(entries, place, header.without);
  return new Set([...places].filter(isLeft));
}

/** Whether a sample is among those that a retraction names. */
export function isAmong(
  entries: readonly Entry[],
  place: string,
  { messages, samples }: Retracted,
) {
  const [sequence = 0, line = 0] = place.split('/').map(Number);
  const entry = entries[sequence - 1];
  if (entry === undefined) return false;
  const ids = entry.samples.flatMap((own, i) =>
    Array.from(own, () => entry.header.messages[i]?.id ?? ''),
  );
  return (
    messages.includes(ids[line] ?? '') ||
    isSampleAmong(new Set(samples), allOf(entry.samples)[line])
  );
}

/** What a job's record says: how and where it began, and over what. */
export function recordOf(
  { objects }: Bucket,
  { model, job }: Extract<Entry['header'], { kind: 'promote' }>,
): { readonly began: number; readonly start?: string; readonly dataset?: string } {
  const record = objects.get(keys.job(model, job))?.body ?? Buffer.from('{}');
  const { sequence: began = 0, ...how } = JSON.parse(Buffer.from(record).toString());
  return { began, ...how };
}
