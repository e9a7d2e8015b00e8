import { describe, expect, it } from 'vitest';
import type { RefusedSample } from '../../lib/commands/command.ts';
import type { RefusalCode } from '../../lib/refusal.ts';
import type { SpecInput } from '../../lib/spec/spec.ts';
import { quarantined } from '../support/quarantined.ts';
import {
  createWorld,
  deliver,
  foldJournal,
  message,
  ticket,
  ticketsSpec,
} from '../support/world.ts';

const { model } = ticketsSpec;

const wrong = (change: object) => ({ ...ticket(1), ...change });
const feature = (change: object) => wrong({ features: { ...ticket(1).features, ...change } });

/** Samples that cannot be learnt, the code, the field to blame, and what the reason says. */
const badSamples: [string, RefusalCode, unknown, string, RegExp][] = [
  ['no object', 'wrong-type', 7, 'sample', /must be an object \(found 7\)/],
  ['no features', 'wrong-type', { label: true }, 'features', /must be an object \(found nothing\)/],
  [
    'a missing feature',
    'missing',
    { features: { urgency: 1 }, label: true },
    'features.team',
    /missing/,
  ],
  [
    'an unknown feature',
    'unknown-field',
    feature({ colour: 'red' }),
    'features.colour',
    /unknown feature; allowed: urgency, team/,
  ],
  [
    'an unknown field',
    'unknown-field',
    wrong({ labl: true }),
    'labl',
    /unknown field; allowed: features, label, weight/,
  ],
  [
    'a text for a number',
    'not-finite',
    feature({ urgency: 'three' }),
    'features.urgency',
    /must be a finite number \(found "three"\)/,
  ],
  [
    'NaN as text',
    'missing',
    feature({ urgency: 'NaN' }),
    'features.urgency',
    /missing \(found "NaN"\)/,
  ],
  [
    'a number that float32 cannot hold',
    'not-finite',
    feature({ urgency: 3.5e38 }),
    'features.urgency',
    /must be a number of up to 3.4e38/,
  ],
  ['an empty category', 'missing', feature({ team: '' }), 'features.team', /missing/],
  [
    'an object for a category',
    'wrong-type',
    feature({ team: {} }),
    'features.team',
    /must be a text/,
  ],
  [
    'an unknown class',
    'wrong-type',
    wrong({ label: 'maybe' }),
    'label',
    /must be true or false \(found "maybe"\)/,
  ],
  [
    'no label',
    'wrong-type',
    { features: ticket(1).features },
    'label',
    /must be true or false \(found nothing\)/,
  ],
  ['a weight of zero', 'not-finite', wrong({ weight: 0 }), 'weight', /must be a number above 0/],
];

/** Bodies that are no command at all. */
const badBodies: [string, string, RegExp][] = [
  ['no JSON', '{"samples": [', /must be JSON/],
  ['no object', '3', /body/],
  [
    'an unknown field',
    '{"sample": []}',
    /unknown field "sample"; allowed: producer, seq, samples, columns, labels/,
  ],
  ['no samples', '{"samples": []}', /at least one sample/],
  [
    'a dead letter without a number',
    '{"deadLetter": {"id": "a", "searchedTo": 0}, "samples": [1]}',
    /needs/,
  ],
  ['a producer without a number', '{"producer": "a", "samples": [1]}', /go together/],
  ['a number of zero', '{"producer": "a", "seq": 0, "samples": [1]}', /body\.seq/],
  ['Infinity by exponent', '{"producer": "a", "seq": 1e999, "samples": [1]}', /body\.seq/],
  ['a deep nest', `{"samples": [${'['.repeat(50)}${']'.repeat(50)}]}`, /nested 52 deep/],
  [
    'an object of another bucket',
    '{"samples": "s3://elsewhere/datasets/x.jsonl"}',
    /must be below s3:\/\/memory/,
  ],
  ['an object of a model', '{"samples": "s3://memory/models/other/state.safetensors"}', /datasets/],
  ['a missing object', '{"samples": "s3://memory/datasets/none.jsonl"}', /there is no object/],
  ['a spec that is not named', '{"spec": {}}', /body\.spec\.to: must be a text/],
  ['a rollback beyond the journal', '{"rollback": {"to": 99}}', /the journal ends at entry/],
  ['a prototype', '{"__proto__": {"samples": [1]}, "samples": [1], "x": 1}', /unknown field/],
];

describe('what cannot be learnt', () => {
  it.each(badSamples)(
    'is quarantined with field and reason: %s',
    async (...[, code, sample, field, reason]) => {
      const world = createWorld();
      const sent = message(1, { samples: [ticket(1), sample, ticket(2)] });
      const { settled } = await deliver(world, [sent]);
      expect(settled).toBe(1);
      const record = await quarantined(world, sent.id);
      expect(record.refused).toEqual([
        {
          index: 1,
          field,
          code,
          reason: expect.stringMatching(reason),
          sample: JSON.parse(JSON.stringify(sample)),
        },
      ]);
      expect((await foldJournal(world)).learnt).toBe(2);
    },
  );

  it('is a line of an object alone, whatever breaks it; the other lines are learnt', async () => {
    const world = createWorld();
    const good = (i: number) => JSON.stringify(ticket(i));
    const deep = '['.repeat(12_000);
    const lines = [good(1), '{"features": {', good(2), '', deep, 'NaN', good(3), '"text"', good(4)];
    await world.store.put('datasets/late/x.jsonl', Buffer.from(lines.join('\r\n')));
    const sent = message(1, { samples: 's3://memory/datasets/late/x.jsonl' });
    const { settled, entries } = await deliver(world, [sent]);
    expect(settled).toBe(1);
    expect(entries[0]?.messages[0]).toMatchObject({ outcome: 'learnt', samples: 4, refused: 4 });
    const refused: readonly RefusedSample[] = (await quarantined(world, sent.id)).refused;
    expect(refused.map(({ index, field, reason }) => [index, field, reason])).toEqual([
      [1, 'row', expect.stringMatching(/^line 2 of s3:.*x\.jsonl: must be JSON/)],
      [3, 'row', expect.stringMatching(/^line 5 of s3:.*x\.jsonl: nested 12000 deep/)],
      [4, 'row', expect.stringMatching(/^line 6 of s3:.*x\.jsonl: must be JSON/)],
      [6, 'sample', 'must be an object (found "text")'],
    ]);
    expect(refused[1]?.sample).toBe('['.repeat(200));
    expect((await foldJournal(world)).learnt).toBe(4);
  });

  it.each(badBodies)(
    'is quarantined whole and settled, and the queue goes on: %s',
    async (_, body, reason) => {
      const world = createWorld();
      const sent = message(1, body);
      const { settled, entries } = await deliver(world, [
        sent,
        message(2, { samples: [ticket(1)] }),
      ]);
      expect(settled).toBe(2);
      expect(entries.flatMap((entry) => entry.messages.map(({ outcome }) => outcome))).toEqual([
        'rejected',
        'learnt',
      ]);
      const record = await quarantined(world, sent.id);
      expect(record.body).toBe(body);
      expect(record.refused[0].reason).toMatch(reason);
      expect((await deliver(world, [sent])).entries).toEqual([]);
    },
  );

  it('is a message whose samples do not fit into memory as numbers', async () => {
    const features = { note: { type: 'text' as const, buckets: 65_536 } };
    const world = createWorld({ model, task: 'binary', features });
    const samples = Array.from({ length: 1_100 }, (_, i) => ({
      features: { note: `word${i}` },
      label: i % 2 === 0,
    }));
    await deliver(world, [message(1, { samples }), message(2, { samples: samples.slice(0, 9) })]);
    expect(await quarantined(world, message(1, {}).id)).toMatchObject({
      refused: [{ index: -1, code: 'too-large', reason: expect.stringContaining('send fewer') }],
    });
    expect((await foldJournal(world)).learnt).toBe(9);
  });

  it('is a body over 1 MiB', async () => {
    const world = createWorld();
    const sent = message(1, { samples: [{ ...ticket(1), note: 'x'.repeat(1_048_576) }] });
    await deliver(world, [sent]);
    expect((await quarantined(world, sent.id)).refused[0].reason).toMatch(/at most 1048576 bytes/);
  });

  it('is a sample that is as deep as a row may be, and not the message around it', async () => {
    const world = createWorld();
    const deep = JSON.parse('['.repeat(7) + ']'.repeat(7));
    const sent = message(1, { samples: [ticket(1), feature({ urgency: deep }), ticket(2)] });
    const { entries } = await deliver(world, [sent]);
    expect(entries[0]?.messages[0]).toMatchObject({ samples: 2, refused: 1 });
  });

  it('is a message that would make a weight infinite; its effect is undone', async () => {
    const spec: SpecInput = {
      model,
      task: 'regression',
      features: { urgency: { type: 'number' } },
      label: { standardize: false },
      optimizer: { type: 'sgd', rate: 1_000 },
    };
    const sample = (value: number) =>
      message(value, { samples: [{ features: { urgency: value }, label: value }] });
    const poison = message(2, {
      samples: [1, 7].map((urgency) => ({ features: { urgency }, label: 1e36 })),
    });
    const world = createWorld(spec);
    await deliver(world, [sample(1), poison, sample(3)]);
    const withoutPoison = createWorld(spec);
    await deliver(withoutPoison, [sample(1), sample(3)]);
    expect((await quarantined(world, poison.id)).refused[0].reason).toMatch(
      /a weight or optimizer slot would not be finite/,
    );
    expect((await foldJournal(world)).tensors).toEqual((await foldJournal(withoutPoison)).tensors);
  });

  it('keeps what there was no room for, though its producer finds room in a late delivery', async () => {
    const world = createWorld(ticketsSpec, { producers: 1, producerIdleEntries: 2 });
    const sent = (sequenceNumber: number, producer: string | undefined, seq?: number) =>
      message(sequenceNumber, {
        ...(producer === undefined ? {} : { producer, seq }),
        samples: [ticket(sequenceNumber)],
      });
    const [first, second] = [sent(2, 'b', 1), sent(3, 'b', 2)];
    await deliver(world, [sent(1, 'a', 1)]);
    await deliver(world, [second]);
    for (const number of [4, 5, 6]) await deliver(world, [sent(number, undefined)]);
    // A delivery of both that was on its way all the time: the first finds room, and is learnt.
    await deliver(world, [first, second]);
    const state = await foldJournal(world);
    expect(state.learnt).toBe(5);
    expect(state.ledger.producers.get('b')?.highest).toBe(1);
  });

  it.each([
    ['gaps', { gapsPerProducer: 1 }, ['a3', 'a5', 'a2'], 'a5'],
    ['producers', { producers: 2, producerIdleEntries: 3 }, ['b1', 'c1', 'b2', 'b3', 'b4'], 'c1'],
  ])(
    'settles what it had no room for, however often it comes again: %s',
    async (_, limits, sends, late) => {
      const world = createWorld(ticketsSpec, limits);
      const send = (text: string, place: number) =>
        message(place, { producer: text[0], seq: Number(text[1]), samples: [ticket(place)] });
      const sent = ['a1', ...sends].map((text, i) => send(text, i + 1));
      for (const each of sent) await deliver(world, [each]);
      const { sequence, learnt } = await foldJournal(world);
      const again = send(late, 2 + sends.indexOf(late));
      const others = Array.from({ length: 9 }, () => again);
      for (const messages of [[again], [again, ...others]]) {
        const update = await deliver(world, messages);
        expect(update).toMatchObject({ settled: messages.length, hasAdvanced: true, entries: [] });
      }
      expect(
        await deliver(world, [again, send(late === 'a5' ? 'a4' : 'b5', 10), again]),
      ).toMatchObject({ settled: 3 });
      expect(await foldJournal(world)).toMatchObject({
        sequence: sequence + 1,
        learnt: learnt + 1,
      });
    },
  );
});
