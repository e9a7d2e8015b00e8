import { createHash } from 'node:crypto';
import { z } from 'zod';
import type { ProtocolLimits } from '../limits.ts';

/** Which message this is, for the question whether it was settled before. */
export type MessageIdentity = {
  /** The SQS message id: the same for every delivery of the message. */
  readonly id: string;
  /** The producer's own number, where it counts its messages. */
  readonly producer?: { readonly name: string; readonly seq: number };
  /** The id of the dead letter without a number that got this one when it was redriven. */
  readonly deadLetter?: string;
  /** The ARN of the queue it came from, and its SQS SequenceNumber there. */
  readonly queue: string;
  readonly sequenceNumber: string;
};

/** All numbers up to `highest` are settled, but for those in `gaps` (inclusive ranges, ascending). */
export type ProducerRecord = {
  readonly highest: number;
  readonly gaps: readonly (readonly [from: number, to: number])[];
  /** The journal entry that last used it; the least recently used producer is evicted. */
  readonly usedAt: number;
};

/**
 * Which messages are settled (learnt or rejected). It is part of the state, so it changes with the weights in
 * one commit. Gaps are kept as ranges: a plain maximum would lose a dead letter that is redriven later, and a
 * bitmap of fixed width would have to refuse what lies outside it.
 */
export type Ledger = {
  readonly producers: ReadonlyMap<string, ProducerRecord>;
  /** Hashes of the names of evicted producers: refused for ever, never applied again. */
  readonly evicted: readonly string[];
  /** By queue ARN: the highest SequenceNumber of a settled message without a producer. */
  readonly appliedThrough: ReadonlyMap<string, string>;
  /** Hashes of the ids of dead letters that were settled under a number: a delivery of one may still be running. */
  readonly redriven: readonly string[];
};

/** What the ledger says of a message. `refused` messages go to quarantine with the reason. */
export type Judgement =
  | { readonly verdict: 'new' }
  | { readonly verdict: 'settled' }
  | {
      readonly verdict: 'refused';
      readonly reason: string;
      /** Whether no later ledger will judge otherwise. */
      readonly isFinal: boolean;
    };

/** A ledger in which nothing is settled. */
export const emptyLedger: Ledger = {
  producers: new Map(),
  evicted: [],
  appliedThrough: new Map(),
  redriven: [],
};

/** How much a ledger remembers. */
export type LedgerLimits = Pick<
  ProtocolLimits,
  'producers' | 'evictedProducers' | 'gapsPerProducer' | 'redrivenLetters'
>;

/** Whether a message is new, settled already, or cannot be judged and must be refused. */
export function judge(
  ledger: Ledger,
  { id, producer, queue, sequenceNumber }: MessageIdentity,
  limits: LedgerLimits,
): Judgement {
  if (producer === undefined) {
    const through = ledger.appliedThrough.get(queue);
    const isSettled = through !== undefined && BigInt(sequenceNumber) <= BigInt(through);
    return { verdict: isSettled || isRedriven(ledger, id) ? 'settled' : 'new' };
  }
  const record = ledger.producers.get(producer.name);
  if (record === undefined) {
    if (ledger.evicted.includes(shortHash(producer.name))) {
      return refused(
        `producer ${producer.name} was evicted: more than ${limits.producers} producers are in use; send under a new name, from seq 1`,
        true,
      );
    }
    return ledger.evicted.length < limits.evictedProducers || ledger.producers.size < limits.producers
      ? { verdict: 'new' }
      : refused(
          `the model already had ${limits.producers + limits.evictedProducers} producers; reuse their names`,
          true,
        );
  }
  if (producer.seq <= record.highest && !inGaps(record, producer.seq)) return { verdict: 'settled' };
  return settleNumber(record, producer.seq).length <= limits.gapsPerProducer
    ? { verdict: 'new' }
    : refused(
        `producer ${producer.name} has ${limits.gapsPerProducer} gaps in its numbers; send the missing ones first`,
        false,
      );
}

/** The ledger after the message was learnt or rejected by the journal entry `sequence`. */
export function settle(
  ledger: Ledger,
  identity: MessageIdentity,
  sequence: number,
  limits: LedgerLimits,
): Ledger {
  const { producer, queue, sequenceNumber, deadLetter } = identity;
  if (producer === undefined) {
    const appliedThrough = new Map(ledger.appliedThrough);
    const through = appliedThrough.get(queue);
    appliedThrough.delete(queue);
    const isHigher = through === undefined || BigInt(sequenceNumber) > BigInt(through);
    appliedThrough.set(queue, isHigher ? sequenceNumber : through);
    return { ...ledger, appliedThrough };
  }
  const record = ledger.producers.get(producer.name) ?? { highest: 0, gaps: [], usedAt: sequence };
  const producers = new Map(ledger.producers).set(producer.name, {
    highest: Math.max(record.highest, producer.seq),
    gaps: settleNumber(record, producer.seq),
    usedAt: sequence,
  });
  const redriven =
    deadLetter === undefined
      ? ledger.redriven
      : [...ledger.redriven, shortHash(deadLetter)].slice(-limits.redrivenLetters);
  const next = { ...ledger, producers, redriven };
  return producers.size > limits.producers ? evict(next) : next;
}

function isRedriven({ redriven }: Ledger, id: string): boolean {
  return redriven.length > 0 && redriven.includes(shortHash(id));
}

function inGaps({ gaps }: ProducerRecord, seq: number): boolean {
  return gaps.some(([from, to]) => from <= seq && seq <= to);
}

/** The gaps that are left once `seq` is settled. */
function settleNumber({ highest, gaps }: ProducerRecord, seq: number): ProducerRecord['gaps'] {
  if (seq > highest) return seq === highest + 1 ? gaps : [...gaps, [highest + 1, seq - 1]];
  return gaps.flatMap(([from, to]): [number, number][] => {
    if (seq < from || to < seq) return [[from, to]];
    return [
      ...(from < seq ? [[from, seq - 1] as [number, number]] : []),
      ...(seq < to ? [[seq + 1, to] as [number, number]] : []),
    ];
  });
}

function evict(ledger: Ledger): Ledger {
  const [oldest] = [...ledger.producers].sort(
    ([nameA, a], [nameB, b]) => a.usedAt - b.usedAt || (nameA < nameB ? -1 : 1),
  );
  if (oldest === undefined) return ledger;
  const producers = new Map(ledger.producers);
  producers.delete(oldest[0]);
  return { ...ledger, producers, evicted: [...ledger.evicted, shortHash(oldest[0])] };
}

function shortHash(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 16);
}

function refused(reason: string, isFinal: boolean): Judgement {
  return { verdict: 'refused', reason, isFinal };
}

const ledgerSchema = z.strictObject({
  producers: z.array(
    z.tuple([
      z.string(),
      z.strictObject({
        highest: z.int().nonnegative(),
        gaps: z.array(z.tuple([z.int().positive(), z.int().positive()])),
        usedAt: z.int().nonnegative(),
      }),
    ]),
  ),
  evicted: z.array(z.string()),
  appliedThrough: z.array(z.tuple([z.string(), z.string().regex(/^\d+$/)])),
  redriven: z.array(z.string()).default([]),
});

/** A ledger as JSON, for the metadata of a checkpoint. */
export function ledgerToJson(ledger: Ledger): string {
  return JSON.stringify({
    producers: [...ledger.producers],
    evicted: ledger.evicted,
    appliedThrough: [...ledger.appliedThrough],
    ...(ledger.redriven.length === 0 ? {} : { redriven: ledger.redriven }),
  });
}

/** Reads {@link ledgerToJson}. @throws ZodError or SyntaxError if it is none */
export function ledgerFromJson(json: string): Ledger {
  const { producers, evicted, appliedThrough, redriven } = ledgerSchema.parse(JSON.parse(json));
  return { producers: new Map(producers), evicted, appliedThrough: new Map(appliedThrough), redriven };
}
