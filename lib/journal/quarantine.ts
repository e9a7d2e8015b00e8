import { z } from 'zod';
import { putOverOlder } from '../bucket/conditional-puts.ts';
import { evidenceBody, parseUndamaged, readJsonObject } from '../bucket/json-objects.ts';
import { keys } from '../bucket/keys.ts';
import type { BucketPorts, ObjectStore } from '../bucket/object-store.ts';
import type { EntryHeader } from '../commands/commands.ts';
import type { SettledMessage } from '../commands/header.ts';
import { MillraceError } from '../errors.ts';
import { eachInOrder } from '../in-order.ts';
import { limits } from '../limits.ts';
import { type StoredRefusal, storedRefusal } from '../refusal.ts';
import { readHeader } from './reading.ts';

const recordSchema = z.looseObject({
  message: z.string(),
  time: z.string().optional(),
  queue: z.string().optional(),
  sequenceNumber: z.string().optional(),
  producer: z.string().optional(),
  seq: z.int().optional(),
  /** The entry that settles the message, if it is committed. */
  sequence: z.int().optional(),
  /** The whole message, where it was refused as a whole. */
  body: z.string().optional(),
  refused: z.array(storedRefusal.loose().extend({ sample: z.unknown().optional() })),
});

/** What a quarantine object holds. */
export type QuarantineRecord = z.output<typeof recordSchema>;

/**
 * A record that is about to be written: the message's or the job's id, what is known of it, and
 * what is refused.
 */
export type NewRecord = Readonly<Record<string, unknown>> & {
  readonly message: string;
  readonly sequence?: number;
  readonly refused: readonly StoredRefusal[];
};

/**
 * Writes what cannot be learnt, and why, under the message's id. It happens before the commit that
 * settles the message, so a crash in between only repeats it. A record that its entry confirms is
 * kept: a later delivery may refuse the message again and never commit. A process that tries to
 * settle it in an earlier entry was overtaken, and writes nothing.
 *
 * @throws MillraceError kind `unavailable` if it may not be written
 */
export async function quarantine(
  ports: BucketPorts,
  model: string,
  refusal: NewRecord,
): Promise<void> {
  const { store } = ports;
  const key = keys.quarantine(model, refusal.message);
  const body = Buffer.from(evidenceBody(refusal));
  const stays = async (current: Uint8Array) => {
    const record = parseUndamaged(recordSchema, current);
    if (record === undefined) return false;
    if (body.equals(current)) return true;
    return (record.sequence ?? 0) > (refusal.sequence ?? 0) || isConfirmed(store, model, record);
  };
  const etag = await putOverOlder(ports, key, body, { etag: undefined, stays });
  if (etag === undefined) throw new MillraceError('unavailable', `${key} could not be written`);
}

/**
 * The quarantine record of a message, or of a job. @throws MillraceError kind `corrupt` if it is
 * none
 */
export function readQuarantineRecord(
  store: ObjectStore,
  key: string,
): Promise<QuarantineRecord | undefined> {
  return readJsonObject(store, key, recordSchema);
}

/**
 * The records of a model's quarantine, in the order of their keys. One that its entry does not
 * confirm is left out: its writer was overtaken, or has not committed yet.
 *
 * @throws MillraceError kind `corrupt` if one cannot be read
 */
export async function readQuarantine(
  store: ObjectStore,
  model: string,
): Promise<readonly QuarantineRecord[]> {
  const listed = await store.list(keys.quarantines(model));
  const records: QuarantineRecord[] = [];
  const confirmed = async ({ key }: { readonly key: string }) => {
    const record = await readQuarantineRecord(store, key);
    return record !== undefined && (await isConfirmed(store, model, record)) ? record : undefined;
  };
  for await (const [, record] of eachInOrder(limits.readsAtOnce, listed, confirmed))
    if (record !== undefined) records.push(record);
  return records;
}

/** Whether an entry up to `sequence` has refused a message. */
export async function wasRefused(
  store: ObjectStore,
  model: string,
  message: string,
  sequence: number,
): Promise<boolean> {
  const object = await store.get(keys.quarantine(model, message));
  // One that is damaged confirms nothing, and is written again with the message.
  const record = object && parseUndamaged(recordSchema, object.body);
  if (record?.sequence === undefined || record.sequence > sequence) return false;
  return isConfirmed(store, model, record);
}

/** Whether a record's entry refused its message. What a batch job refused has no entry. */
async function isConfirmed(
  store: ObjectStore,
  model: string,
  { message, sequence }: QuarantineRecord,
): Promise<boolean> {
  if (sequence === undefined) return true;
  const header = await readHeader(store, model, sequence);
  return header?.messages.some(({ id, refused }) => id === message && refused > 0) ?? false;
}

/**
 * Why an entry refused a message as a whole; undefined if it refused none that is meant.
 *
 * @param isMeant whether a refused message is the one, by its body as quarantine keeps it
 */
export async function refusalIn(
  store: ObjectStore,
  { model, messages }: Pick<EntryHeader, 'model' | 'messages'>,
  isMeant: (body: string, message: SettledMessage) => boolean,
): Promise<string | undefined> {
  for (const message of messages) {
    if (message.outcome !== 'rejected') continue;
    const record = await readQuarantineRecord(store, keys.quarantine(model, message.id));
    if (record?.body === undefined || !isMeant(record.body, message)) continue;
    return record.refused.map(({ reason }) => reason).join('; ');
  }
  return undefined;
}
