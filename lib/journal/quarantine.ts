import { isDeepStrictEqual } from 'node:util';
import * as z from 'zod';
import { putOverOlder } from '../bucket/conditional-puts.ts';
import { evidenceBody, parseUndamaged, readJsonObject } from '../bucket/json-objects.ts';
import { keys } from '../bucket/keys.ts';
import type { BucketPorts, ObjectStore } from '../bucket/object-store.ts';
import type { EntryHeader } from '../commands/commands.ts';
import type { SettledMessage } from '../commands/header.ts';
import { invariant, MillraceError, reasonIf } from '../errors.ts';
import { eachInOrder } from '../in-order.ts';
import { limits } from '../limits.ts';
import { type StoredRefusal, storedRefusal } from '../refusal.ts';
import { readHeader } from './reading.ts';

/** What one writer found, or several who found the same: which of them counts, their entry says. */
const findings = {
  /** Of the entries that they were about to commit; releases before 0.17 wrote none. */
  nonces: z.array(z.string()).optional(),
  time: z.string().optional(),
  /** The whole message, where it was refused as a whole. */
  body: z.string().optional(),
  refused: z.array(storedRefusal.loose().extend({ sample: z.unknown().optional() })),
};

const recordSchema = z.looseObject({
  ...findings,
  message: z.string(),
  queue: z.string().optional(),
  sequenceNumber: z.string().optional(),
  producer: z.string().optional(),
  seq: z.int().optional(),
  /** So many rows of a job's dataset were refused; `refused` has the first of them. */
  refusedRows: z.int().optional(),
  /** The entry that settles the message, if it is committed. */
  sequence: z.int().optional(),
  /** What others found who were about to commit the same entry. */
  others: z.array(z.looseObject(findings)).optional(),
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
  readonly nonces?: readonly string[];
  readonly refused: readonly StoredRefusal[];
};

/**
 * Writes what cannot be learnt, and why, under the message's id. It happens before the commit that
 * settles the message, so a crash in between only repeats it. A record that its entry confirms is
 * kept: a later delivery may refuse the message again and never commit. A process that tries to
 * settle it in an earlier entry was overtaken, and writes nothing. Two that are about to commit the
 * same entry may have found different samples (a label is refused until its question is asked):
 * what both found is kept, and the entry's nonce says which of them counts.
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
  const own = evidenceBody(refusal);
  const parsed = parseUndamaged(recordSchema, own);
  invariant(parsed !== undefined, `${key} would not be a record`);
  const body = (current: Uint8Array | undefined) => {
    const before = current && parseUndamaged(recordSchema, current);
    return before === undefined ? own : evidenceBody(withOthers(parsed, before));
  };
  const stays = async (current: Uint8Array) => {
    const record = parseUndamaged(recordSchema, current);
    if (record === undefined) return false;
    if (Buffer.from(own).equals(current)) return true;
    if ((record.sequence ?? 0) > (refusal.sequence ?? 0)) return true;
    return (await confirmed(store, model, record)) !== undefined;
  };
  const etag = await putOverOlder(ports, key, body, { etag: undefined, stays });
  if (etag === undefined) throw new MillraceError('unavailable', `${key} could not be written`);
}

/** A record, and what those found who were about to commit the same entry. */
function withOthers(own: QuarantineRecord, before: QuarantineRecord): QuarantineRecord {
  if (before.sequence !== own.sequence || own.nonces === undefined || before.nonces === undefined)
    return own;
  const others = [before, ...(before.others ?? [])].map(findingsOf);
  const isSame = (each: Findings) => isDeepStrictEqual(contentOf(each), contentOf(own));
  const nonces = [own, ...others.filter(isSame)].flatMap((each) => each.nonces ?? []);
  const different = others.filter((each) => !isSame(each));
  return { ...own, nonces, ...(different.length > 0 && { others: different }) };
}

type Findings = z.output<z.ZodObject<typeof findings>>;

function findingsOf({ nonces, time, body, refused }: Findings): Findings {
  return { nonces, time, ...(body !== undefined && { body }), refused };
}

function contentOf({ body, refused }: Findings) {
  return { body, refused };
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
 * @param passOver is told why one cannot be read, which is left out too; it throws unless given
 */
export async function readQuarantine(
  store: ObjectStore,
  model: string,
  passOver: (problem: string) => void = throwCorrupt,
): Promise<readonly QuarantineRecord[]> {
  const listed = await store.list(keys.quarantines(model));
  const records: QuarantineRecord[] = [];
  const read = async ({ key }: { readonly key: string }) => {
    const record = await readQuarantineRecord(store, key).catch(reasonIf('corrupt'));
    if (typeof record !== 'string') return record && confirmed(store, model, record);
    return passOver(record);
  };
  for await (const [, record] of eachInOrder(limits.readsAtOnce, listed, read))
    if (record !== undefined) records.push(record);
  return records;
}

function throwCorrupt(problem: string): never {
  throw new MillraceError('corrupt', problem);
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
  return (await confirmed(store, model, record)) !== undefined;
}

/**
 * A record with what its entry refused; undefined if that refused nothing of its message. What a
 * batch job refused has no entry.
 */
async function confirmed(
  store: ObjectStore,
  model: string,
  record: QuarantineRecord,
): Promise<QuarantineRecord | undefined> {
  if (record.sequence === undefined) return record;
  const header = await readHeader(store, model, record.sequence);
  return header && confirmedBy(header, record);
}

function confirmedBy(
  { nonce, messages }: Pick<EntryHeader, 'nonce' | 'messages'>,
  { others = [], ...record }: QuarantineRecord,
): QuarantineRecord | undefined {
  if (!messages.some(({ id, refused }) => id === record.message && refused > 0)) return undefined;
  if (record.nonces === undefined) return record;
  const found = [record, ...others].find(({ nonces }) => nonces?.includes(nonce));
  if (found === undefined || found === record) return found && record;
  const { body: _, ...shared } = record;
  return { ...shared, ...findingsOf(found) };
}

/**
 * Why an entry refused a message as a whole; undefined if it refused none that is meant.
 *
 * @param isMeant whether a refused message is the one, by its body as quarantine keeps it
 */
export async function refusalIn(
  store: ObjectStore,
  { model, messages, nonce }: Pick<EntryHeader, 'model' | 'messages' | 'nonce'>,
  isMeant: (body: string, message: SettledMessage) => boolean,
): Promise<string | undefined> {
  for (const message of messages) {
    if (message.outcome !== 'rejected') continue;
    const kept = await readQuarantineRecord(store, keys.quarantine(model, message.id));
    const record = kept && confirmedBy({ messages, nonce }, kept);
    if (record?.body === undefined || !isMeant(record.body, message)) continue;
    return record.refused.map(({ reason }) => reason).join('; ');
  }
  return undefined;
}
