import { z } from 'zod';
import { MillraceError } from '../errors.ts';
import { decodeCheckpoint } from '../journal/checkpoint.ts';
import { putUntilAnswered, readEntry } from '../journal/journal.ts';
import { keys } from '../journal/keys.ts';
import { judge } from '../journal/ledger.ts';
import type { Ports } from '../ports/ports.ts';

const recordSchema = z.looseObject({
  message: z.string(),
  time: z.string().optional(),
  producer: z.string().optional(),
  seq: z.int().optional(),
  body: z.string().optional(),
  refused: z.array(
    z.looseObject({ index: z.int(), field: z.string(), reason: z.string(), sample: z.unknown().optional() }),
  ),
});

/** What a quarantine object holds. */
export type QuarantineRecord = z.output<typeof recordSchema>;

/** All records of a model's quarantine, in the order of their keys. */
export async function readQuarantine(
  { store }: Pick<Ports, 'store'>,
  model: string,
): Promise<readonly QuarantineRecord[]> {
  const records: QuarantineRecord[] = [];
  for (const { key } of await store.list(keys.quarantines(model))) {
    const record = await readQuarantineRecord({ store }, key);
    if (record !== undefined) records.push(record);
  }
  return records;
}

/** The quarantine record of a key. @throws MillraceError kind `corrupt` if it is none */
export async function readQuarantineRecord(
  { store }: Pick<Ports, 'store'>,
  key: string,
): Promise<QuarantineRecord | undefined> {
  const object = await store.get(key);
  if (object === undefined) return undefined;
  const parsed = recordSchema.safeParse(JSON.parse(Buffer.from(object.body).toString('utf8')));
  if (!parsed.success) throw new MillraceError('corrupt', `${key} is no quarantine record`);
  return parsed.data;
}

/** The producer under whose name refused samples are sent again. */
export const retryProducer = 'quarantine-retry';

const planSchema = z.strictObject({ first: z.int().positive(), messages: z.array(z.string()) });

/** What a retry did. */
export type Retried = {
  readonly sent: number;
  /** Messages that cannot be sent again: no samples were kept, or they were learnt before. */
  readonly left: readonly string[];
};

/**
 * Sends what is in quarantine to the model again, each record once, however often this is called or breaks off: which
 * records get which numbers is written down, create-only, before the first is sent, and the ledger judges the rest.
 *
 * @throws MillraceError kind `unavailable` if S3 or SQS do not answer; call it again
 */
export async function retryQuarantine(ports: Ports, model: string): Promise<Retried> {
  const records = new Map((await readQuarantine(ports, model)).map((record) => [record.message, record]));
  const plans = await readPlans(ports, model);
  const planned = new Set(plans.flatMap(({ messages }) => messages));
  const learnt = await learntMessages(ports, model, [...records.values()]);
  const left: string[] = [];
  const fresh = [...records.values()].filter((record) => {
    const canBeSent = samplesOf(record) !== undefined && !learnt.has(nameOf(record));
    if (!canBeSent) left.push(record.message);
    return canBeSent && !planned.has(record.message);
  });
  if (fresh.length > 0) {
    const last = plans.at(-1);
    const first = last === undefined ? 1 : last.first + last.messages.length;
    const plan = { first, messages: fresh.map(({ message }) => message) };
    const key = keys.retry(model, plans.length + 1);
    const outcome = await putUntilAnswered(ports.store, key, Buffer.from(JSON.stringify(plan)), {
      ifNoneMatch: '*',
    });
    if (!outcome?.ok) throw new MillraceError('unavailable', `${key} could not be written; try again`);
    plans.push(plan);
  }
  const published = await ports.store.get(keys.state(model));
  const ledger = published && decodeCheckpoint(published.body).ledger;
  let sent = 0;
  for (const { first, messages } of plans) {
    for (const [place, message] of messages.entries()) {
      const record = records.get(message);
      const seq = first + place;
      const identity = { producer: { name: retryProducer, seq }, queue: '', sequenceNumber: '0' };
      const isSettled = ledger !== undefined && judge(ledger, identity).verdict === 'settled';
      if (record === undefined || isSettled) continue;
      const body = JSON.stringify({ producer: retryProducer, seq, samples: samplesOf(record) });
      await ports.sendSamples({ body, group: model, deduplication: `${retryProducer}:${seq}` });
      sent += 1;
    }
  }
  return { sent, left };
}

/** The samples of a record as a message can have them; undefined where there are none to send. */
function samplesOf({ body, refused }: QuarantineRecord): unknown {
  if (body === undefined) return refused.flatMap(({ sample }) => (sample === undefined ? [] : [sample]));
  try {
    return (JSON.parse(body) as { samples?: unknown } | null)?.samples;
  } catch {
    return undefined;
  }
}

async function readPlans({ store }: Ports, model: string): Promise<z.output<typeof planSchema>[]> {
  const plans: z.output<typeof planSchema>[] = [];
  for (;;) {
    const object = await store.get(keys.retry(model, plans.length + 1));
    if (object === undefined) return plans;
    plans.push(planSchema.parse(JSON.parse(Buffer.from(object.body).toString('utf8'))));
  }
}

function nameOf({ producer, seq }: { producer?: string | undefined; seq?: number | undefined }): string {
  return `${producer}:${seq}`;
}

/** Which of the refused messages were learnt after all: one whose producer was evicted is refused for ever after. */
async function learntMessages(
  { store }: Ports,
  model: string,
  records: readonly QuarantineRecord[],
): Promise<ReadonlySet<string>> {
  const learnt = new Set<string>();
  const isWhole = ({ producer, refused }: QuarantineRecord) =>
    producer !== undefined && refused.some(({ index }) => index < 0);
  if (!records.some(isWhole)) return learnt;
  for (let sequence = 1; ; sequence++) {
    const entry = await readEntry(store, model, sequence);
    if (entry === undefined) return learnt;
    for (const message of entry.header.messages) {
      if (message.outcome === 'learnt' && message.producer !== undefined) learnt.add(nameOf(message));
    }
  }
}
