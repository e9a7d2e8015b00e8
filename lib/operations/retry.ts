import { reasonIf } from '../errors.ts';
import type { NamedClasses } from '../features/classes.ts';
import { createEncoder, type Encoder } from '../features/encoder.ts';
import { isLateLabel } from '../features/sample-id.ts';
import { type RawSamples, SampleTable } from '../features/sample-table.ts';
import { withoutSurplus } from '../features/surplus.ts';
import { lastState } from '../fold/checkpoints.ts';
import { currentSpec } from '../fold/current-model.ts';
import { ledgerNow } from '../fold/ledger-now.ts';
import { type QuarantineRecord, readQuarantine } from '../journal/quarantine.ts';
import { headersAfter } from '../journal/reading.ts';
import { limits } from '../limits.ts';
import { parseMessage } from '../online/messages.ts';
import { isRecord } from '../parse.ts';
import { deduplicationId } from '../ports/deduplication.ts';
import type { Ports } from '../ports/ports.ts';
import { type RefusalCode, type Refused, refuse } from '../refusal.ts';
import { judge, type Ledger } from '../state/ledger.ts';
import { bodyOf, isLabelledBefore, samplesOf } from './refused-samples.ts';
import {
  canBeNumbered,
  numbered,
  numberedIdentity,
  type Resend,
  type ResendPlan,
  readPlans,
  resendsOf,
  writePlan,
} from './resend-plan.ts';

/** How a refused message can be sent again: as it was, or under a new number. */
export type Way = { readonly ok: true; readonly isAsItWas: boolean } | Refused<NoWay | RefusalCode>;

/** Why a refused message cannot be sent again. */
export type NoWay = 'no-samples' | 'of-a-job' | 'too-large' | 'learnt-before' | 'refused-again';

/** A refused message, and what became of it since. */
export type RefusedMessage = {
  readonly record: QuarantineRecord;
  /** How it can be sent again, or why it cannot. */
  readonly way: Way;
  /** The number that it was given for that. */
  readonly resend?: Resend;
  /**
   * Whether it was settled again: learnt, or refused under its new number, which has a record of
   * its own.
   */
  readonly isSettledAgain: boolean;
};

/** What a retry did. */
export type Retried = {
  readonly sent: number;
  /** Messages that are not sent again, and why. */
  readonly left: readonly { readonly message: string; readonly reason: string }[];
};

/**
 * Sends what is in quarantine to the model again, each message once, however often this is called
 * or breaks off. A message that the ledger refused, and would accept now, is sent as it was. The
 * numbers of all others are used up, so they get new ones, which are written down, create-only,
 * before the first is sent.
 *
 * @throws MillraceError kind `unavailable` if S3 or SQS do not answer, or a second retry runs at
 *   the same time; call it again
 */
export async function retryQuarantine(ports: Ports, model: string): Promise<Retried> {
  const { sendSamples } = ports;
  const { ledger, plans, messages } = await examine(ports, model);
  const left: { message: string; reason: string }[] = [];
  const toNumber = new Map<string, string>();
  const toSend = new Map<string, QuarantineRecord>();
  let sent = 0;
  for (const { record, way, resend, isSettledAgain } of messages) {
    const { message, body = '' } = record;
    if (!way.ok) {
      left.push({ message, reason: way.reason });
    } else if (way.isAsItWas) {
      await sendSamples({
        body,
        group: model,
        deduplication: deduplicationId(model, 'retry', message),
      });
      sent += 1;
    } else {
      if (resend === undefined && !toNumber.has(nameOf(record)))
        toNumber.set(nameOf(record), message);
      if (!isSettledAgain) toSend.set(message, record);
    }
  }
  const unnumbered = [...toNumber.values()];
  if (unnumbered.length > 0) {
    await writePlan(ports, model, plans, { source: 'quarantine', messages: unnumbered, ledger });
  }
  for (const resend of resendsOf(plans, 'quarantine')) {
    const record = toSend.get(resend.message);
    if (record === undefined) continue;
    const message = numbered(model, bodyOf(samplesOf(record)), resend);
    const refused = await sendSamples({ group: model, ...message }).catch(reasonIf('invalid'));
    if (typeof refused === 'string') left.push({ message: record.message, reason: refused });
    else sent += 1;
  }
  return { sent, left };
}

/**
 * What is in a model's quarantine, and what became of it since. @throws as {@link retryQuarantine}
 */
export async function refusedMessages(
  ports: Ports,
  model: string,
): Promise<readonly RefusedMessage[]> {
  return (await examine(ports, model)).messages;
}

async function examine(
  ports: Ports,
  model: string,
): Promise<{
  readonly ledger: Ledger;
  readonly plans: ResendPlan[];
  readonly messages: readonly RefusedMessage[];
}> {
  const { store } = ports;
  const ledger = await ledgerNow(ports, model);
  const declared = await currentSpec(ports, model);
  const encoder = declared && createEncoder(declared.spec);
  const grows = declared?.spec.label.maxClasses !== undefined;
  const known = grows ? ((await lastState(ports, model))?.statistics ?? {}) : {};
  const records = await readQuarantine(store, model, (reason) =>
    ports.log.warn('a record of quarantine is passed over', { model, reason }),
  );
  const learnt = await learntNames(ports, model, records);
  const plans: ResendPlan[] = [];
  await readPlans(ports, model, plans);
  const names = new Map(records.map((record) => [record.message, nameOf(record)]));
  const resends = new Map(
    resendsOf(plans, 'quarantine').map((resend) => [
      names.get(resend.message) ?? resend.message,
      resend,
    ]),
  );
  const refused = new Set(records.map(numberOf));
  /** One that was refused again has a record of its own by now, and goes on from there. */
  const isSettled = (resend: Resend) =>
    judge(ledger, numberedIdentity(resend.producer, resend.seq), ports.limits).verdict ===
      'settled' ||
    learnt.has(numberOf(resend)) ||
    refused.has(numberOf(resend));
  const messages = records.map((record) => {
    const resend = resends.get(nameOf(record));
    const way = wayOf(ports, ledger, learnt, record);
    return {
      record,
      way: (way.ok && refusedAgain(encoder, known, record)) || way,
      ...(resend === undefined ? {} : { resend }),
      isSettledAgain: wasLearnt(learnt, record) || (resend !== undefined && isSettled(resend)),
    };
  });
  return { ledger, plans, messages };
}

/** Whether samples can be sent again under a new number. */
function underNewNumber(body: object): Way {
  if (!canBeNumbered(body))
    return refuse(
      'too-large',
      `with a new number it would have more than ${limits.messageBytes} bytes`,
    );
  const sent = { id: '', body: JSON.stringify(body), group: '', queue: '', sequenceNumber: '0' };
  const { command } = parseMessage(sent);
  if (command.kind !== 'malformed') return { ok: true, isAsItWas: false };
  return refuse('refused-again', `it would be refused again: ${command.reason}`);
}

function wayOf(
  { limits: bounds }: Ports,
  ledger: Ledger,
  learnt: ReadonlySet<string>,
  record: QuarantineRecord,
): Way {
  const samples = samplesOf(record);
  if (isLabelledBefore(record))
    return refuse('learnt-before', 'its ids have labels that were learnt before');
  if (samples === undefined || (isList(samples) && samples.length === 0))
    return refuse(
      'no-samples',
      'it holds no samples, or lists that cannot be joined; mend what was sent, and send that again',
    );
  if (record.sequence === undefined)
    return refuse('of-a-job', 'it is of a batch job; start another one');
  const newNumber = underNewNumber(bodyOf(samples));
  if (!isWhole(record)) return newNumber;
  if (wasLearnt(learnt, record)) return refuse('learnt-before', 'it was learnt before');
  const { producer, seq } = record;
  if (producer === undefined || seq === undefined) return newNumber;
  const judgement = judge(ledger, numberedIdentity(producer, seq), bounds);
  if (judgement.verdict === 'new') return { ok: true, isAsItWas: true };
  return judgement.verdict === 'refused' && !judgement.isFinal ? judgement : newNumber;
}

function isList(samples: unknown): samples is RawSamples {
  return Array.isArray(samples) || samples instanceof SampleTable;
}

/** Why none of a record's samples can be learnt, by the spec that holds and the classes so far. */
function refusedAgain(
  encoder: Encoder | undefined,
  known: NamedClasses,
  record: QuarantineRecord,
): Way | false {
  const sent = samplesOf(record);
  if (encoder === undefined || !isList(sent) || sent.length === 0) return false;
  const samples = [...sent];
  const encodings = [
    encoder.encode(samples.filter((sample) => !isRecord(sample) || sample.id === undefined)),
    encoder.encodeLabels(samples.filter(isLateLabel)),
  ].map((encoding) => withoutSurplus(encoder.layout, encoding, known));
  if (encodings.some(({ accepted }) => accepted.length > 0)) return false;
  // An id beside features is refused whatever the spec is.
  const [first = record.refused[0]] = encodings.flatMap(({ refused }) => refused);
  if (first === undefined) return false;
  return refuse('refused-again', `it would be refused again: ${first.field}: ${first.reason}`);
}

/**
 * Whether a message that was refused as a whole, or the dead letter that it was, was learnt all the
 * same.
 */
function wasLearnt(learnt: ReadonlySet<string>, record: QuarantineRecord): boolean {
  if (!isWhole(record)) return false;
  const { message, body = '', queue = '', sequenceNumber = '0' } = record;
  const { identity } = parseMessage({ id: message, body, group: '', queue, sequenceNumber });
  const letter = identity.by === 'producer' ? identity.deadLetter : undefined;
  return (
    learnt.has(nameOf(record)) ||
    learnt.has(ofAnyContent(numberOf(record))) ||
    (letter !== undefined && learnt.has(letter))
  );
}

/** A number under which a release before 0.3 learnt something: nobody knows what it was. */
function ofAnyContent(number: string): string {
  return `${number}:?`;
}

function isWhole({ refused }: QuarantineRecord): boolean {
  return refused.some(({ index }) => index < 0);
}

/** What a message is known by, if anything may have been sent under its number. */
function numberOf({
  message,
  producer,
  seq,
}: Pick<QuarantineRecord, 'message' | 'producer' | 'seq'>): string {
  return producer === undefined ? message : `${producer}:${seq}`;
}

/**
 * What a refused message is known by: its number and its content, so that one that was sent twice
 * is one, and another one under the same number is another; without a number, its id. (A record of
 * some samples alone has no content, and is the only one of its number.)
 */
function nameOf(record: QuarantineRecord): string {
  const digest = digestOf(record);
  return digest === undefined ? numberOf(record) : `${numberOf(record)}:${digest}`;
}

function digestOf({ message, producer, body }: QuarantineRecord): string | undefined {
  if (producer === undefined || body === undefined) return undefined;
  const sent = { id: message, body, group: '', queue: '', sequenceNumber: '0' };
  const { identity } = parseMessage(sent);
  return identity.by === 'producer' ? identity.digest : undefined;
}

/**
 * Names of learnt messages, if a record needs them: an evicted producer is refused even for
 * messages that it had sent before, and that were learnt.
 */
async function learntNames(
  { store }: Ports,
  model: string,
  records: readonly QuarantineRecord[],
): Promise<ReadonlySet<string>> {
  const learnt = new Set<string>();
  if (!records.some((record) => isWhole(record) && record.producer !== undefined)) return learnt;
  for await (const header of headersAfter(store, model, 0, { ahead: limits.readsAtOnce })) {
    for (const { id, outcome, producer, seq, digest } of header.messages) {
      if (outcome !== 'learnt') continue;
      const number = numberOf({ message: id, producer, seq });
      learnt.add(number).add(digest === undefined ? ofAnyContent(number) : `${number}:${digest}`);
    }
  }
  return learnt;
}
