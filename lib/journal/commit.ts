import { putUntilAnswered } from '../bucket/conditional-puts.ts';
import { keys } from '../bucket/keys.ts';
import type { BucketPorts } from '../bucket/object-store.ts';
import { type Refused, refuse } from '../refusal.ts';
import { type Entry, encodeEntry } from './entry.ts';
import { readEntry } from './reading.ts';

/** An entry that is in the journal, with the ETag of its object where it was answered. */
export type Committed = { readonly ok: true; readonly etag?: string };

/**
 * Commits an entry at its sequence number: the only commit point of Millrace. `lost` means that the
 * stored entry is a different one, or that it is unknown whether ours is stored. Read the journal
 * forward then, and judge the messages again.
 *
 * A put whose answer was lost, or that the SDK tried again, meets its own success as
 * PreconditionFailed. The nonce in the header tells whose entry it is.
 */
export async function commitEntry(
  ports: BucketPorts,
  entry: Entry,
): Promise<Committed | Refused<'lost'>> {
  const { model, sequence, nonce } = entry.header;
  const outcome = await putUntilAnswered(ports, keys.entry(model, sequence), encodeEntry(entry), {
    ifNoneMatch: '*',
  });
  if (outcome?.ok) return outcome;
  const found = await readEntry(ports.store, model, sequence);
  return found?.header.nonce === nonce
    ? { ok: true }
    : refuse('lost', `entry ${sequence} is another writer's`);
}
