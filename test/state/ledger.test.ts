import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { limits } from '../../lib/limits.ts';
import { emptyLedger, judge, type MessageIdentity, settle } from '../../lib/state/ledger.ts';
import { ledgerFromJson, ledgerToJson } from '../../lib/state/ledger-json.ts';

const queue = 'arn:aws:sqs:us-east-1:000000000000:samples-1.fifo';

function numbered(name: string, seq: number): MessageIdentity {
  return { by: 'producer', producer: name, seq };
}

function fromQueue(sequenceNumber: number, arn = queue): MessageIdentity {
  return {
    by: 'queue',
    id: `message-${sequenceNumber}`,
    queue: arn,
    sequenceNumber: String(sequenceNumber),
  };
}

describe('the ledger', () => {
  it('knows exactly the numbers that were settled, in whatever order they came', () => {
    const numbers = fc.array(fc.tuple(fc.constantFrom('a', 'b'), fc.integer({ min: 1, max: 60 })), {
      maxLength: 80,
    });
    fc.assert(
      fc.property(numbers, (messages) => {
        let ledger = emptyLedger;
        const settled = new Set<string>();
        for (const [name, seq] of messages) {
          const isKnown = settled.has(`${name}${seq}`);
          expect(judge(ledger, numbered(name, seq), limits).verdict).toBe(
            isKnown ? 'settled' : 'new',
          );
          ledger = settle(ledger, numbered(name, seq), 1, limits);
          settled.add(`${name}${seq}`);
        }
        for (const name of ['a', 'b']) {
          for (let seq = 1; seq <= 61; seq++) {
            const expected = settled.has(`${name}${seq}`) ? 'settled' : 'new';
            expect(judge(ledger, numbered(name, seq), limits).verdict).toBe(expected);
          }
        }
        expect(ledgerFromJson(ledgerToJson(ledger), ledger.at)).toEqual(ledger);
      }),
    );
  });

  it('learns a dead letter that comes back after 100,000 later messages', () => {
    const ledger = settle(
      settle(emptyLedger, numbered('a', 1), 1, limits),
      numbered('a', 100_000),
      2,
      limits,
    );
    expect(judge(ledger, numbered('a', 17), limits).verdict).toBe('new');
    expect(judge(ledger, numbered('a', 100_000), limits).verdict).toBe('settled');
  });

  it('never takes what a producer sends anew under its old numbers for a repetition', () => {
    // A producer that begins again anywhere, as often as it likes, beside others; and repetitions.
    const step = fc.oneof(
      fc.record({ does: fc.constant('send' as const), count: fc.integer({ min: 1, max: 40 }) }),
      fc.record({ does: fc.constant('begin' as const), at: fc.integer({ min: 1, max: 60 }) }),
      fc.record({ does: fc.constant('repeat' as const), back: fc.integer({ min: 0, max: 15 }) }),
      fc.record({ does: fc.constant('other' as const), name: fc.constantFrom('b', 'c', 'd') }),
    );
    const few = { ...limits, numbersPerProducer: 20, numbersPerLedger: 50 };
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
        let ledger = emptyLedger;
        let next = 1;
        let content = 0;
        const learnt: MessageIdentity[] = [];
        const deliver = (identity: MessageIdentity) => {
          const judgement = judge(ledger, identity, few);
          if (judgement.verdict === 'new') ledger = settle(ledger, identity, 1, few);
          return judgement;
        };
        for (const each of steps) {
          if (each.does === 'begin') next = each.at;
          else if (each.does === 'repeat') {
            const again = learnt.at(-1 - each.back);
            if (again !== undefined) expect(deliver(again).verdict).toBe('settled');
          } else if (each.does === 'other') deliver(numbered(each.name, 1));
          else {
            for (let i = 0; i < each.count; i++, next++) {
              const sent = { ...numbered('a', next), digest: `content ${content++}` };
              const { verdict } = deliver(sent);
              expect(verdict).not.toBe('settled');
              if (verdict === 'new') learnt.push(sent);
            }
          }
        }
      }),
    );
  });

  it('refuses the message that would open one gap too many, and takes those that close gaps', () => {
    let ledger = emptyLedger;
    for (let i = 1; i <= limits.gapsPerProducer; i++)
      ledger = settle(ledger, numbered('a', 2 * i), i, limits);
    const next = numbered('a', 2 * limits.gapsPerProducer + 2);
    expect(judge(ledger, next, limits)).toMatchObject({ verdict: 'refused', reason: /256 gaps/ });
    ledger = settle(ledger, numbered('a', 1), 999, limits);
    expect(judge(ledger, next, limits).verdict).toBe('new');
  });

  it('judges messages without a producer by the numbers of their own queue', () => {
    const ledger = settle(emptyLedger, fromQueue(18_850_000_000_000), 1, limits);
    expect(judge(ledger, fromQueue(18_850_000_000_000), limits).verdict).toBe('settled');
    expect(judge(ledger, fromQueue(9), limits).verdict).toBe('settled');
    expect(judge(ledger, fromQueue(18_850_000_000_001), limits).verdict).toBe('new');
    expect(judge(ledger, fromQueue(9, `${queue}-again`), limits).verdict).toBe('new');
  });

  it('never evicts a producer that sent lately: a new name is refused instead', () => {
    const few = { ...limits, producers: 3, producerIdleEntries: 10 };
    let ledger = emptyLedger;
    for (const [i, name] of ['a', 'b', 'c'].entries())
      ledger = settle(ledger, numbered(name, 1), i + 1, few);
    expect(judge(ledger, numbered('invented', 1), few)).toMatchObject({
      verdict: 'refused',
      isFinal: false,
      code: 'too-many-producers',
      reason: expect.stringContaining('have sent lately, so invented is not taken in'),
    });
    expect(judge(ledger, numbered('a', 2), few).verdict).toBe('new');
    // Ten entries later, whoever was silent since makes room.
    ledger = { ...settle(ledger, numbered('b', 2), 11, few), at: 11 };
    ledger = settle(ledger, numbered('c', 2), 11, few);
    expect(judge(ledger, numbered('late', 1), few).verdict).toBe('new');
    ledger = settle(ledger, numbered('late', 1), 12, few);
    expect([...ledger.producers.keys()]).toEqual(['b', 'c', 'late']);
  });

  it('makes room in time, though nobody else sends a number', () => {
    const few = { ...limits, producers: 2, producerIdleEntries: 10 };
    let ledger = emptyLedger;
    for (const name of ['invented-1', 'invented-2'])
      ledger = settle(ledger, numbered(name, 1), 1, few);
    expect(judge({ ...ledger, at: 10 }, numbered('till', 1), few).verdict).toBe('refused');
    expect(judge({ ...ledger, at: 11 }, numbered('till', 1), few).verdict).toBe('new');
  });

  it('never lets an evicted producer in again', () => {
    let ledger = emptyLedger;
    for (let i = 0; i <= limits.producers; i++)
      ledger = settle(ledger, numbered(`producer-${i}`, 1), i + 1, limits);
    expect(ledger.producers.size).toBe(limits.producers);
    expect(judge(ledger, numbered('producer-0', 1), limits)).toMatchObject({
      verdict: 'refused',
      reason: /was evicted/,
    });
    expect(judge(ledger, numbered('producer-0', 2), limits).verdict).toBe('refused');
    expect(judge(ledger, numbered('producer-1', 2), limits).verdict).toBe('new');
  });

  it('is not changed by settling: a new one comes out', () => {
    const before = settle(emptyLedger, numbered('a', 1), 1, limits);
    const text = ledgerToJson(before);
    settle(before, numbered('a', 5), 2, limits);
    settle(before, fromQueue(7), 2, limits);
    expect(ledgerToJson(before)).toBe(text);
    expect(ledgerToJson(emptyLedger)).toBe('{"producers":[],"evicted":[],"appliedThrough":[]}');
  });
});
