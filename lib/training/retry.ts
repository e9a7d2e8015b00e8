import { decodeCheckpoint } from '../journal/checkpoint.ts';
import { entriesAfter, readEntry } from '../journal/journal.ts';
import { keys } from '../journal/keys.ts';
import { emptyLedger, judge, type Ledger } from '../journal/ledger.ts';
import { limits } from '../limits.ts';
import type { Ports } from '../ports/ports.ts';
import { type QuarantineRecord, readQuarantine } from './quarantine.ts';
import {
  canBeNumbered,
  numbered,
  numberedIdentity,
  type ResendPlan,
  readPlans,
  resendsOf,
  writePlan,
} from './resend.ts';

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
  const plans: ResendPlan[] = [];
  await readPlans(ports, model, plans);
  const planned = new Set(
    resendsOf(plans, 'quarantine').map(({ message }) => nameOf(records.get(message) ?? { message })),
  );

  const left: { message: string; reason: string }[] = [];
  const unnumbered: string[] = [];
  const toNumber = new Set<string>();
  let sent = 0;
  for (const record of records.values()) {
    const { message, body = '' } = record;
    const way = await wayOf(ports, model, ledger, learnt, record);
    if (way === 'as it was') {
      await sendSamples({ body, group: model, deduplication: `retry:${message}` });
      sent += 1;
    } else if (way === 'under a new number') {
      toNumber.add(message);
      if (!planned.has(nameOf(record))) unnumbered.push(message);
      planned.add(nameOf(record));
    } else {
      left.push({ message, reason: way });
    }
  }
  if (unnumbered.length > 0) await writePlan(ports, model, ledger, plans, 'quarantine', unnumbered);

  const refused = new Set([...records.values()].map(nameOf));
  for (const resend of resendsOf(plans, 'quarantine')) {
    const record = records.get(resend.message);
    const name = nameOf(resend);
    // Since it was planned, a later delivery may have been refused as a whole, though it had been learnt.
    if (record === undefined || !toNumber.has(resend.message)) continue;
    // One that was refused again has a record of its own by now, and goes on from there.
    const isSettled = judge(ledger, numberedIdentity(resend.producer, resend.seq)).verdict === 'settled';
    if (isSettled || learnt.has(name) || refused.has(name)) continue;
    await sendSamples({ group: model, ...numbered({ samples: samplesOf(record) }, resend) });
    sent += 1;
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
  const samples = samplesOf(record);
  if (samples === undefined) return 'no samples were kept';
  if (record.sequence === undefined) return 'it is of a batch job; start another one';
  const entry = await readEntry(store, model, record.sequence);
  const isSettled = entry?.header.messages.some(({ id }) => id === record.message) ?? false;
  if (!isSettled) return 'it is still on its way, or was settled by a later delivery';
  const newNumber = canBeNumbered({ samples })
    ? 'under a new number'
    : `with a new number it would have more than ${limits.messageBytes} bytes`;
  if (!isWhole(record)) return newNumber;
  if (learnt.has(nameOf(record))) return 'it was learnt before';
  const { producer, seq } = record;
  if (producer === undefined || seq === undefined) return newNumber;
  const judgement = judge(ledger, numberedIdentity(producer, seq));
  if (judgement.verdict === 'new') return 'as it was';
  return judgement.verdict === 'refused' && !judgement.isFinal ? judgement.reason : newNumber;
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

/** Names of learnt messages, if a record needs them: an evicted producer is refused also with what was learnt. */
async function learntNames(
  { store }: Ports,
  model: string,
  records: readonly QuarantineRecord[],
): Promise<ReadonlySet<string>> {
  const learnt = new Set<string>();
  if (!records.some((record) => isWhole(record) && record.producer !== undefined)) return learnt;
  for await (const { header } of entriesAfter(store, model, 0, { ahead: limits.entriesReadAhead })) {
    for (const { id, outcome, producer, seq } of header.messages) {
      if (outcome === 'learnt') learnt.add(nameOf({ message: id, producer, seq }));
    }
  }
  return learnt;
}
