import { hash } from 'node:crypto';
import type { ProtocolLimits } from '../limits.ts';
import { type Refused, refuse } from '../refusal.ts';
import { fileOfProducer } from '../spec/names.ts';

/** What identifies a message when the ledger is asked whether it was settled before. */
export type MessageIdentity =
  /** A message that its producer numbers. */
  | {
      readonly by: 'producer';
      readonly producer: string;
      readonly seq: number;
      /** Of what was sent under the number, so that a number that comes again can be compared. */
      readonly digest?: string;
      /** The id of the dead letter without a number that got this one when it was redriven. */
      readonly deadLetter?: string;
    }
  /** Any other message: the ARN of its queue, and its SQS SequenceNumber there. */
  | {
      readonly by: 'queue';
      /** The SQS message id: the same for every delivery of the message. */
      readonly id: string;
      readonly queue: string;
      readonly sequenceNumber: string;
    };

/**
 * All numbers up to `highest` are settled, but for those in `gaps` (inclusive ranges, ascending).
 */
export type ProducerRecord = {
  readonly highest: number;
  readonly gaps: readonly (readonly [from: number, to: number])[];
  /** The journal entry that last used it; the least recently used producer is evicted. */
  readonly usedAt: number;
  /** What was sent under its latest numbers, the newest last. */
  readonly latest?: readonly (readonly [seq: number, digest: string])[];
};

/**
 * Which messages are settled (learnt or rejected). It is part of the state, so it changes with the
 * weights in one commit. Gaps are kept as ranges: a plain maximum would lose a dead letter that is
 * redriven later, and a bitmap of fixed width would have to refuse what lies outside it.
 */
export type Ledger = {
  readonly producers: ReadonlyMap<string, ProducerRecord>;
  /** Hashes of the names of evicted producers: refused for ever, never applied again. */
  readonly evicted: readonly string[];
  /** By queue ARN: the highest SequenceNumber of a settled message without a producer. */
  readonly appliedThrough: ReadonlyMap<string, string>;
  /**
   * Hashes of the ids of dead letters that were settled under a number: a delivery of one may still
   * be running.
   */
  readonly redriven: readonly string[];
  /** The entry up to which it was settled: the sequence number of its state. */
  readonly at: number;
};

/** The ledger's judgement of a message. Refused messages go to quarantine with the reason. */
export type Judgement =
  | { readonly verdict: 'new' | 'settled' }
  | ({
      readonly verdict: 'refused';
      /** Whether no later ledger can judge differently. */
      readonly isFinal: boolean;
    } & Refused);

/** A ledger in which nothing is settled. */
export const emptyLedger: Ledger = {
  producers: new Map(),
  evicted: [],
  appliedThrough: new Map(),
  redriven: [],
  at: 0,
};

/** How much a ledger remembers. */
export type LedgerLimits = Pick<
  ProtocolLimits,
  | 'producers'
  | 'evictedProducers'
  | 'producerIdleEntries'
  | 'gapsPerProducer'
  | 'numbersPerProducer'
  | 'numbersPerLedger'
  | 'redrivenLetters'
>;

/** Whether a message is new, settled already, or cannot be judged and must be refused. */
export function judge(ledger: Ledger, identity: MessageIdentity, limits: LedgerLimits): Judgement {
  if (identity.by === 'producer') return judgeNumber(ledger, identity, limits);
  const { id, queue, sequenceNumber } = identity;
  const through = ledger.appliedThrough.get(queue);
  const isSettled = through !== undefined && BigInt(sequenceNumber) <= BigInt(through);
  return { verdict: isSettled || isRedriven(ledger, id) ? 'settled' : 'new' };
}

type Numbered = Extract<MessageIdentity, { by: 'producer' }>;

function judgeNumber(ledger: Ledger, identity: Numbered, limits: LedgerLimits): Judgement {
  const { producer, seq } = identity;
  const record = ledger.producers.get(producer);
  if (record === undefined) return judgeNewProducer(ledger, producer, limits);
  if (seq <= record.highest && !inGaps(record, seq)) return judgeAgain(record, identity);
  if (settleNumber(record, seq).length <= limits.gapsPerProducer) return { verdict: 'new' };
  const reason = `producer ${producer} has ${limits.gapsPerProducer} gaps in its numbers; send the missing ones first`;
  return { verdict: 'refused', isFinal: false, ...refuse('too-many-gaps', reason) };
}

/** A number that comes again is settled, unless it may stand for something else. */
function judgeAgain({ highest, latest = [] }: ProducerRecord, sent: Numbered): Judgement {
  const { producer, seq, digest } = sent;
  const before = latest.find(([each]) => each === seq)?.[1];
  // Releases before 0.4 remembered fewer, and those before 0.3 none.
  const isRemembered =
    before !== undefined || latest.length >= fewestNumbers || seq <= highest - fewestNumbers;
  if (before === digest || digest === undefined || !isRemembered) return { verdict: 'settled' };
  const goOn = `it must go on from ${highest + 1}, or take another name`;
  const refusal =
    before === undefined
      ? refuse(
          'number-too-old',
          `producer ${producer} sent number ${seq} so long ago that it cannot be told whether this ` +
            `is the same message; if it is a new one, ${goOn}`,
        )
      : refuse(
          'number-reused',
          `producer ${producer} had sent something else as number ${seq}; ${goOn}`,
        );
  return { verdict: 'refused', isFinal: true, ...refusal };
}

/**
 * Numbers whose digests a ledger keeps for each producer at least: more than a queue can deliver
 * again before anything later.
 */
const fewestNumbers = 16;

function judgeNewProducer(ledger: Ledger, producer: string, limits: LedgerLimits): Judgement {
  const { producers, evictedProducers } = limits;
  if (wasEvicted(ledger, producer)) {
    const reason =
      `producer ${producer} was evicted: more than ${producers} producers are in use; ` +
      'send under a new name, from seq 1';
    return { verdict: 'refused', isFinal: true, ...refuse('producer-evicted', reason) };
  }
  const other = sameFile(ledger, producer);
  if (other !== undefined) {
    const reason =
      `the same file was sent before, by ${other}: in messages of another size its samples would be ` +
      'learnt twice';
    return { verdict: 'refused', isFinal: false, ...refuse('number-reused', reason) };
  }
  const isFull = ledger.producers.size >= producers;
  if (isFull && ledger.evicted.length >= evictedProducers) {
    const reason = `the model already had ${producers + evictedProducers} producers; reuse their names`;
    return { verdict: 'refused', isFinal: true, ...refuse('too-many-producers', reason) };
  }
  if (!isFull || isIdle(ledger, limits)) return { verdict: 'new' };
  const reason =
    `all of the ${producers} producers that a model knows have sent lately, so ${producer} is not ` +
    'taken in; use one of their names, or send without one';
  return { verdict: 'refused', isFinal: false, ...refuse('too-many-producers', reason) };
}

/** Another producer of the file that a producer sends, if it is one of a file. */
function sameFile({ producers }: Ledger, producer: string): string | undefined {
  const file = fileOfProducer(producer);
  return file && [...producers.keys()].find((name) => fileOfProducer(name) === file);
}

/**
 * Whether the producer that sent least recently has long been silent, so that another may take its
 * place. One that sends is never locked out by names that somebody invents.
 */
function isIdle({ producers, at }: Ledger, { producerIdleEntries }: LedgerLimits): boolean {
  const used = [...producers.values()].map(({ usedAt }) => usedAt);
  return at - Math.min(...used) >= producerIdleEntries;
}

/** The ledger after the message was learnt or rejected by the journal entry `sequence`. */
export function settle(
  ledger: Ledger,
  identity: MessageIdentity,
  sequence: number,
  limits: LedgerLimits,
): Ledger {
  if (identity.by === 'queue') return settleInQueue(ledger, identity);
  const { producer, seq, deadLetter } = identity;
  const record: ProducerRecord = ledger.producers.get(producer) ?? {
    highest: 0,
    gaps: [],
    usedAt: sequence,
  };
  const isNew = !ledger.producers.has(producer);
  const most = numbersEach(ledger.producers.size + Number(isNew), limits);
  // One more producer leaves fewer numbers to each.
  const others = isNew ? withFewerNumbers(ledger.producers, most) : ledger.producers;
  const producers = new Map(others).set(producer, {
    highest: Math.max(record.highest, seq),
    gaps: settleNumber(record, seq),
    usedAt: sequence,
    ...latestOf(record, identity, most),
  });
  const redriven =
    deadLetter === undefined
      ? ledger.redriven
      : [...ledger.redriven, shortHash(deadLetter)].slice(-limits.redrivenLetters);
  const next = { ...ledger, producers, redriven };
  return producers.size > limits.producers ? evict(next) : next;
}

/** Numbers of each producer whose digests are kept: few of many, since all are in each state. */
function numbersEach(producers: number, { numbersPerProducer, numbersPerLedger }: LedgerLimits) {
  const share = Math.floor(numbersPerLedger / Math.max(1, producers));
  return Math.max(fewestNumbers, Math.min(numbersPerProducer, share));
}

function withFewerNumbers(producers: Ledger['producers'], most: number): Ledger['producers'] {
  return new Map(
    [...producers].map(([name, record]) => {
      const { latest = [] } = record;
      return [name, latest.length <= most ? record : { ...record, latest: latest.slice(-most) }];
    }),
  );
}

function latestOf({ latest = [] }: ProducerRecord, { seq, digest }: Numbered, most: number) {
  const next = digest === undefined ? latest : [...latest, [seq, digest] as const].slice(-most);
  return next.length === 0 ? {} : { latest: next };
}

/**
 * Two ledgers with as many digests of each producer as both remember: those that releases before
 * 0.4 wrote remember fewer of the same.
 */
export function comparable(a: Ledger, b: Ledger): readonly [Ledger, Ledger] {
  const count = ({ producers }: Ledger, name: string) => producers.get(name)?.latest?.length ?? 0;
  const cut = (ledger: Ledger): Ledger => {
    const producers = [...ledger.producers].map(([name, record]): [string, ProducerRecord] => {
      const { latest = [], ...rest } = record;
      const both = Math.min(count(a, name), count(b, name));
      return [name, both === 0 ? rest : { ...rest, latest: latest.slice(-both) }];
    });
    return { ...ledger, producers: new Map(producers) };
  };
  return [cut(a), cut(b)];
}

function settleInQueue(
  ledger: Ledger,
  { queue, sequenceNumber }: Extract<MessageIdentity, { by: 'queue' }>,
): Ledger {
  const appliedThrough = new Map(ledger.appliedThrough);
  const through = appliedThrough.get(queue);
  appliedThrough.delete(queue);
  const isHigher = through === undefined || BigInt(sequenceNumber) > BigInt(through);
  appliedThrough.set(queue, isHigher ? sequenceNumber : through);
  return { ...ledger, appliedThrough };
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

/** Whether a producer was known once, and gave its place to another. */
export function wasEvicted({ evicted }: Pick<Ledger, 'evicted'>, producer: string): boolean {
  return evicted.length > 0 && evicted.includes(shortHash(producer));
}

function shortHash(text: string): string {
  return hash('sha256', text).slice(0, 16);
}
