import { z } from 'zod';
import { MillraceError } from '../errors.ts';
import { decodeCheckpoint } from '../journal/checkpoint.ts';
import { putUntilAnswered, readEntry } from '../journal/journal.ts';
import { keys } from '../journal/keys.ts';
import { emptyLedger, judge, type Ledger } from '../journal/ledger.ts';
import type { Ports } from '../ports/ports.ts';
import { type QuarantineRecord, readQuarantine } from './quarantine.ts';

/** Messages that are sent again under new numbers, from `first` on: their ids, in that order. */
const planSchema = z.strictObject({
  producer: z.string(),
  first: z.int().positive(),
  messages: z.array(z.string()),
});

type Plan = z.output<typeof planSchema>;

/** What a retry did. */
export type Retried = {
  readonly sent: number;
  /** Messages that are not sent again, and why. */
  readonly left: readonly { readonly message: string; readonly reason: string }[];
};

/**
 * Sends what is in quarantine to the model again, each message once, however often this is called or breaks off. A
 * message that the ledger refused, and would take now, is sent as it was. The numbers of all others are used up, so
 * they get new ones: which message gets which is written down, create-only, before the first is sent.
 *
 * @throws MillraceError kind `unavailable` if S3 or SQS do not answer, or somebody else does the same; call it again
 */
export async function retryQuarantine(ports: Ports, model: string): Promise<Retried> {
  const { store, sendSamples } = ports;
  const published = await store.get(keys.state(model));
  const ledger = published === undefined ? emptyLedger : decodeCheckpoint(published.body).ledger;
  const records = new Map((await readQuarantine(store, model)).map((record) => [record.message, record]));
  const learnt = await learntNames(ports, model, [...records.values()]);
  const plans = await readPlans(ports, model);
  const planned = new Set(
    plans.flatMap(({ messages }) => messages.map((message) => nameOf(records.get(message) ?? { message }))),
  );

  const left: { message: string; reason: string }[] = [];
  const unnumbered: string[] = [];
  let sent = 0;
  for (const record of records.values()) {
    const { message, body = '' } = record;
    const way = await wayOf(ports, model, ledger, learnt, record);
    if (way === 'as it was') {
      await sendSamples({ body, group: model, deduplication: `retry:${message}` });
      sent += 1;
    } else if (way !== 'under a new number') {
      left.push({ message, reason: way });
    } else if (!planned.has(nameOf(record))) {
      planned.add(nameOf(record));
      unnumbered.push(message);
    }
  }
  if (unnumbered.length > 0) plans.push(await writePlan(ports, model, ledger, plans, unnumbered));

  const refused = new Set([...records.values()].map(nameOf));
  for (const { producer, first, messages } of plans) {
    for (const [place, message] of messages.entries()) {
      const seq = first + place;
      const record = records.get(message);
      const name = nameOf({ message, producer, seq });
      // One that was refused again has a record of its own by now, and goes on from there.
      const isSettled = judge(ledger, identityOf(producer, seq)).verdict === 'settled';
      if (record === undefined || isSettled || learnt.has(name) || refused.has(name)) continue;
      const body = JSON.stringify({ producer, seq, samples: samplesOf(record) });
      await sendSamples({ body, group: model, deduplication: `${producer}:${seq}` });
      sent += 1;
    }
  }
  return { sent, left };
}

/** How a message can be sent again; any other text says why it cannot. */
async function wayOf(
  { store }: Ports,
  model: string,
  ledger: Ledger,
  learnt: ReadonlySet<string>,
  record: QuarantineRecord,
): Promise<string> {
  if (samplesOf(record) === undefined) return 'no samples were kept';
  if (record.sequence === undefined) return 'it is of a batch job; start another one';
  const entry = await readEntry(store, model, record.sequence);
  const isSettled = entry?.header.messages.some(({ id }) => id === record.message) ?? false;
  if (!isSettled) return 'it is still on its way, or was settled by a later delivery';
  if (!isWhole(record)) return 'under a new number';
  if (learnt.has(nameOf(record))) return 'it was learnt before';
  const { producer, seq } = record;
  if (producer === undefined || seq === undefined) return 'under a new number';
  const judgement = judge(ledger, identityOf(producer, seq));
  if (judgement.verdict === 'new') return 'as it was';
  return judgement.verdict === 'refused' && !judgement.isFinal ? judgement.reason : 'under a new number';
}

/** Gives messages the next numbers, under the name that was used last unless its producer was evicted. */
async function writePlan(
  { store }: Ports,
  model: string,
  ledger: Ledger,
  plans: readonly Plan[],
  messages: readonly string[],
): Promise<Plan> {
  const last = plans.at(-1);
  const next = last && { producer: last.producer, first: last.first + last.messages.length };
  const judgement = next && judge(ledger, identityOf(next.producer, next.first));
  const isRefused = judgement?.verdict === 'refused' && judgement.isFinal;
  const numbers =
    next === undefined || isRefused ? { producer: `quarantine-retry-${plans.length + 1}`, first: 1 } : next;
  const plan = { ...numbers, messages: [...messages] };
  const key = keys.retry(model, plans.length + 1);
  const outcome = await putUntilAnswered(store, key, Buffer.from(JSON.stringify(plan)), {
    ifNoneMatch: '*',
  });
  if (!outcome?.ok) throw new MillraceError('unavailable', `${key} could not be written; try again`);
  return plan;
}

async function readPlans({ store }: Ports, model: string): Promise<Plan[]> {
  const plans: Plan[] = [];
  for (;;) {
    const object = await store.get(keys.retry(model, plans.length + 1));
    if (object === undefined) return plans;
    plans.push(planSchema.parse(JSON.parse(Buffer.from(object.body).toString('utf8'))));
  }
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

function isWhole({ refused }: QuarantineRecord): boolean {
  return refused.some(({ index }) => index < 0);
}

/** What a message is known by: its producer's number, so that one that was sent twice is one; else its id. */
function nameOf(record: Pick<QuarantineRecord, 'message' | 'producer' | 'seq'>): string {
  return record.producer === undefined ? record.message : `${record.producer}:${record.seq}`;
}

function identityOf(name: string, seq: number) {
  return { producer: { name, seq }, queue: '', sequenceNumber: '0' };
}

/** Names of learnt messages, if a record needs them: an evicted producer is refused also with what was learnt. */
async function learntNames(
  { store }: Ports,
  model: string,
  records: readonly QuarantineRecord[],
): Promise<ReadonlySet<string>> {
  const learnt = new Set<string>();
  if (!records.some((record) => isWhole(record) && record.producer !== undefined)) return learnt;
  for (let sequence = 1; ; sequence++) {
    const entry = await readEntry(store, model, sequence);
    if (entry === undefined) return learnt;
    for (const { id, outcome, producer, seq } of entry.header.messages) {
      if (outcome === 'learnt') learnt.add(nameOf({ message: id, producer, seq }));
    }
  }
}
