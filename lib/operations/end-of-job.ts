import { keys } from '../bucket/keys.ts';
import type { ObjectStore } from '../bucket/object-store.ts';
import type { Entry } from '../journal/entry.ts';
import { readQuarantineRecord } from '../journal/quarantine.ts';
import { entriesAfter } from '../journal/reading.ts';
import { limits } from '../limits.ts';
import { parseMessage } from '../online/messages.ts';

/** The entry that promoted a job, or why its promotion was refused. */
export type EndOfPromotion = { readonly promotion: number } | { readonly refusal: string };

/**
 * What became of the promotion that a job sent.
 *
 * @param after the entry up to which it is known not to be settled
 * @returns the end, if the journal has it; and the entry up to which it was looked for
 */
export async function endOfPromotion(
  store: ObjectStore,
  { model, job }: { readonly model: string; readonly job: string },
  after: number,
): Promise<{ readonly end?: EndOfPromotion; readonly looked: number }> {
  let looked = after;
  for await (const entry of entriesAfter(store, model, after, { ahead: limits.readsAtOnce })) {
    const end = await settledBy(store, entry, job);
    looked = entry.header.sequence;
    if (end !== undefined) return { end, looked };
  }
  return { looked };
}

/** Whether an entry settles a job's promotion. */
async function settledBy(
  store: ObjectStore,
  { header }: Entry,
  job: string,
): Promise<EndOfPromotion | undefined> {
  if (header.kind === 'promote' && header.job === job) return { promotion: header.sequence };
  for (const message of header.messages) {
    if (message.outcome !== 'rejected') continue;
    const record = await readQuarantineRecord(store, keys.quarantine(header.model, message.id));
    const { command } = parseMessage({ ...message, body: record?.body ?? '', group: header.model });
    if (command.kind === 'promote' && command.body.promote.job === job) {
      return { refusal: record?.refused.map(({ reason }) => reason).join('; ') ?? '' };
    }
  }
  return undefined;
}
