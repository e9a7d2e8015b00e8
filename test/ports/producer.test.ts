import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { MillraceError } from '../../lib/errors.ts';
import { deduplicationId } from '../../lib/ports/deduplication.ts';
import type { Sender } from '../../lib/ports/ports.ts';
import { createProducer, freshProducer, openProducer } from '../../lib/ports/producer.ts';

type Sent = {
  readonly producer: string;
  readonly seq: number;
  readonly samples: unknown;
  readonly deduplication: string;
};

/** A queue that answers after a turn; a call may be lost before or after it took effect. */
function queueThat(outcomes: readonly ('lost' | 'unheard' | 'refused' | undefined)[] = []) {
  const sent: Sent[] = [];
  const left = [...outcomes];
  const send: Sender = async ({ body, deduplication }) => {
    await new Promise((resolve) => setImmediate(resolve));
    const outcome = left.shift();
    if (outcome === 'refused') throw new MillraceError('invalid', 'too large');
    if (outcome === 'lost') throw new MillraceError('unavailable', 'timed out');
    sent.push({ ...JSON.parse(body), deduplication });
    if (outcome === 'unheard') throw new MillraceError('unavailable', 'timed out');
  };
  return { sent, send };
}

describe('a producer', () => {
  it('sends overlapping messages one after the other, each under a number of its own', async () => {
    const { sent, send } = queueThat();
    const till = createProducer(send, 'demand', 'till');
    await Promise.all([['a'], ['b'], ['c']].map((samples) => till.send(samples)));
    expect(sent.map(({ seq, samples }) => [seq, samples])).toEqual([
      [1, ['a']],
      [2, ['b']],
      [3, ['c']],
    ]);
    expect(till.nextSeq()).toBe(4);
  });

  it.each(['lost', 'unheard'] as const)(
    'keeps the number of a message whose answer is %s, and sends it again before the next',
    async (outcome) => {
      const { sent, send } = queueThat([outcome]);
      const till = createProducer(send, 'demand', 'till');
      await expect(till.send(['a'])).rejects.toThrow('timed out');
      expect(till.nextSeq()).toBe(1);
      await till.send(['b']);
      const bySeq = new Map(sent.map(({ seq, samples }) => [seq, samples]));
      expect([...bySeq]).toEqual([
        [1, ['a']],
        [2, ['b']],
      ]);
      // What was sent twice has the same content and the same deduplication id.
      expect(new Set(sent.map((each) => JSON.stringify(each))).size).toBe(2);
    },
  );

  it.each(['lost', 'unheard'] as const)(
    'sends once what is tried again with the same list after its answer was %s',
    async (outcome) => {
      const { sent, send } = queueThat([outcome]);
      const till = createProducer(send, 'demand', 'till');
      const batch = [{ x: 1 }];
      await expect(till.send(batch)).rejects.toThrow('timed out');
      await till.send(batch);
      expect(till.nextSeq()).toBe(2);
      // Another list of the same content is another message, as is the same list once it was taken.
      await till.send([{ x: 1 }]);
      await till.send(batch);
      expect([...new Set(sent.map(({ seq }) => seq))]).toEqual([1, 2, 3]);
    },
  );

  it('sends each list once, though calls overlap and fail, and are tried again in any order', async () => {
    const [a, b] = [[{ x: 'a' }], [{ x: 'b' }]];
    const sent = async (...tries: readonly (readonly unknown[][])[]) => {
      const queue = queueThat(['lost', 'lost']);
      const till = createProducer(queue.send, 'demand', 'till');
      for (const lists of tries) await Promise.allSettled(lists.map((list) => till.send(list)));
      return [...new Map(queue.sent.map(({ seq, samples }) => [seq, samples])).values()];
    };
    expect(await sent([a, b], [a], [b])).toEqual([a, b]);
    expect(await sent([a, []], [a], [b])).toEqual([a, b]);
    // What b's call had sent of a before it: a is not sent a second time.
    expect(await sent([a], [a], [b, a])).toEqual([a, b]);
    expect(await sent([a], [a, b, a])).toEqual([a, b]);
    expect(await sent([a, b, b], [a])).toEqual([a, b]);
  });

  it('sends nothing for an empty list, and gives it no number', async () => {
    const { sent, send } = queueThat();
    const till = createProducer(send, 'demand', 'till');
    await till.send([]);
    await till.send(['a']);
    expect(sent.map(({ seq }) => seq)).toEqual([1]);
  });

  it('is told what it cannot be', async () => {
    const { sent, send } = queueThat();
    for (const seq of [0, -1, 1.5, Number.NaN, 2 ** 53, '3'] as number[])
      expect(() => createProducer(send, 'demand', 'till', seq)).toThrow(/^nextSeq/);
    for (const name of ['', 'x'.repeat(200), undefined] as string[])
      expect(() => createProducer(send, 'demand', name)).toThrow(/^name/);
    for (const model of ['', 'Demand', undefined, {}] as string[])
      expect(() => createProducer(send, model, 'till')).toThrow(/^model/);
    const deep = JSON.parse('['.repeat(20) + ']'.repeat(20));
    const till = createProducer(send, 'demand', 'till');
    await expect(till.send(['a', deep])).rejects.toThrow('samples[1]: nested 20 deep');
    expect(sent).toEqual([]);
  });

  it('gives the number of a message that SQS refuses to the next one', async () => {
    const { sent, send } = queueThat(['refused']);
    const till = createProducer(send, 'demand', 'till');
    await expect(till.send(['too large'])).rejects.toThrow('too large');
    await till.send(['a']);
    expect(sent).toMatchObject([{ seq: 1, samples: ['a'] }]);
  });

  it('goes on after what cannot be sent, under the same number', async () => {
    const { sent, send } = queueThat();
    const till = createProducer(send, 'demand', 'till');
    const circle: { self?: unknown } = {};
    circle.self = circle;
    const thrower = {
      toJSON() {
        throw new Error('no JSON of me');
      },
    };
    const cases: readonly (readonly [samples: unknown, reason: string])[] = [
      [[1, circle], 'samples[1]: cannot be sent as JSON: Converting circular structure'],
      [[thrower], 'samples[0]: cannot be sent as JSON: no JSON of me'],
      [null, 'samples: must be a list of samples (found null)'],
      ['a', 'samples: must be a list of samples (found "a")'],
    ];
    for (const [samples, reason] of cases) {
      const error = await till.send(samples as unknown[]).catch((each: unknown) => each);
      expect(error).toBeInstanceOf(MillraceError);
      expect(error).toMatchObject({ kind: 'invalid', message: expect.stringContaining(reason) });
    }
    await till.send([{ large: 2n ** 60n }]);
    const holes: unknown[] = [];
    holes[1] = 'a';
    await till.send(holes);
    // Cells read the text as a number.
    expect(sent).toMatchObject([
      { seq: 1, samples: [{ large: '1152921504606846976' }] },
      { seq: 2, samples: [null, 'a'] },
    ]);
  });

  it('sends what a list held when it was asked, whatever it holds later', async () => {
    const { sent, send } = queueThat(['lost']);
    const till = createProducer(send, 'demand', 'till');
    const buffer = ['a'];
    const first = till.send(buffer);
    buffer.length = 0;
    buffer.push('b');
    await expect(first).rejects.toThrow('timed out');
    await till.send(buffer);
    expect(sent).toMatchObject([
      { seq: 1, samples: ['a'] },
      { seq: 2, samples: ['b'] },
    ]);
  });
});

describe('a producer that remembers', () => {
  const fileOf = () => join(mkdtempSync(join(tmpdir(), 'millrace-producer-')), 'till.json');

  it.each(['lost', 'unheard'] as const)(
    'goes on after a crash with the message that was on its way, whose answer was %s',
    async (outcome) => {
      const file = fileOf();
      const { sent, send } = queueThat([undefined, outcome]);
      const first = await openProducer(send, 'demand', 'till', file);
      await first.send(['a']);
      await expect(first.send(['b'])).rejects.toThrow('timed out');
      // It crashes here. The next one has something else to say.
      const second = await openProducer(send, 'demand', 'till', file);
      await second.send(['c']);
      const bySeq = new Map(sent.map(({ seq, samples }) => [seq, samples]));
      expect([...bySeq]).toEqual([
        [1, ['a']],
        [2, ['b']],
        [3, ['c']],
      ]);
      const third = await openProducer(send, 'demand', 'till', file);
      expect(third.nextSeq()).toBe(4);
    },
  );

  it('says what is wrong with its file', async () => {
    const file = fileOf();
    writeFileSync(file, '{"seq": 0}');
    const { send } = queueThat();
    await expect(openProducer(send, 'demand', 'till', file)).rejects.toThrow(`${file}.seq`);
  });

  it('or names itself anew for each process', async () => {
    const { sent, send } = queueThat();
    let nonces = 0;
    const ports = { sendSamples: send, nonce: () => `nonce-${nonces++}` };
    for (let processes = 0; processes < 2; processes++)
      await freshProducer(ports, 'demand', 'job').send(['a']);
    expect(sent).toMatchObject([
      { producer: 'job-nonce-0', seq: 1 },
      { producer: 'job-nonce-1', seq: 1 },
    ]);
  });
});

describe('a deduplication id', () => {
  it('is never shared by two models, and is one that SQS takes', () => {
    const ids = ['a', 'b'].flatMap((model) => [
      deduplicationId(model, 'till', 1),
      deduplicationId(model, 'till', 2),
      deduplicationId(model, 'nightly', 'promote'),
      deduplicationId(model, 'x'.repeat(200), 1),
      deduplicationId(model, 'Kasse Süd 7', 1),
    ]);
    expect(new Set(ids).size).toBe(ids.length);
    for (const id of ids) expect(id).toMatch(/^[\x21-\x7e]{1,128}$/);
  });
});
