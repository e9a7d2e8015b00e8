import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { bytesInMemory } from '../../lib/datasets/byte-source.ts';
import { readSamples } from '../../lib/datasets/read-samples.ts';
import { createEncoder } from '../../lib/features/encoder.ts';
import { samplesOfLines } from '../../lib/operations/follow-file.ts';
import { retryQuarantine } from '../../lib/operations/retry.ts';
import { sampleWriter, sendFile } from '../../lib/operations/send-file.ts';
import { defineSpec, type Spec, type SpecInput } from '../../lib/spec/spec.ts';
import { createWorld, deliver, message, published, ticket, ticketsSpec } from '../support/world.ts';

it('says what was sent of a file that cannot be read to its end', async () => {
  const world = createWorld();
  const rows = Array.from({ length: 60_000 }, (_, i) => JSON.stringify(ticket(i)));
  const packed = gzipSync(rows.join('\n'), { level: 0 });
  const file = { name: 'a.jsonl.gz', bytes: bytesInMemory(packed.subarray(0, -1_000_000)) };
  const sent = sendFile(world, ticketsSpec, file, { wait: async () => undefined });
  const error: Error = await sent.then(
    () => new Error('it was sent'),
    (reason: Error) => reason,
  );
  const samples = world.sentSamples.reduce(
    (sum, { body }) => sum + JSON.parse(body).samples.length,
    0,
  );
  expect(samples).toBeGreaterThan(0);
  const { producer } = JSON.parse(world.sentSamples[0]?.body ?? '');
  expect(error.message).toMatch(
    /^a\.jsonl\.gz cannot be read behind line 32768: its gzip is cut short .*; the \d+/,
  );
  expect(error.message).toContain(
    `the ${samples} samples before were sent, as producer ${producer}`,
  );
});

it('knows what was learnt of a file, however far the published state is behind', async () => {
  const spec: Spec = { ...ticketsSpec, online: { ...ticketsSpec.online, publishEvery: 100 } };
  const world = createWorld(spec);
  const rows = Array.from({ length: 40 }, (_, i) => JSON.stringify(ticket(i)));
  const file = { name: 'a.jsonl', bytes: bytesInMemory(Buffer.from(rows.join('\n'))) };
  const wait = async () => undefined;
  await deliver(world, [message(1, { samples: [ticket(99)] })]);
  await sendFile(world, spec, file, { samplesPerMessage: 4, wait });
  const bodies = world.sentSamples.map(({ body }) => body);
  await deliver(
    world,
    bodies.map((body, i) => message(i + 2, body)),
  );
  expect((await published(world)).sequence).toBe(1);
  // (Also where nobody says again how large they were.)
  for (const samplesPerMessage of [4, undefined]) {
    const again = await sendFile(world, spec, file, {
      ...(samplesPerMessage && { samplesPerMessage }),
      wait,
    });
    expect(again).toMatchObject({ messages: 0, settledBefore: 10 });
  }
  await expect(sendFile(world, spec, file, { samplesPerMessage: 5, wait })).rejects.toThrow(
    'this content was sent already, 4 samples a message',
  );
});

it.each<[string, string, string | undefined]>([
  [
    'urgency,team,label\n1,red,true',
    '--id: the file has no column ordr (found urgency, team, label)',
    'ordr',
  ],
  [
    'urgent,team,label\n1,red,true',
    'features.urgency: missing); the file has no column urgency',
    undefined,
  ],
  ['label\ntrue', 'missing); the file has no column urgency, team', undefined],
])('names the columns that a file does not have: %j', async (csv, reason, idColumn) => {
  const world = createWorld();
  const file = { name: 'a.csv', bytes: bytesInMemory(Buffer.from(`${csv}\n`)) };
  const options = { wait: async () => undefined, ...(idColumn !== undefined && { idColumn }) };
  await expect(sendFile(world, ticketsSpec, file, options)).rejects.toThrow(reason);
  expect(world.sentSamples).toEqual([]);
});

describe('rows of an id and a label alone', () => {
  /** Features that may be missing must not make samples of them. */
  const spec: SpecInput = {
    ...ticketsSpec,
    features: {
      urgency: { type: 'number', missing: 'mean' },
      team: { type: 'category', values: ['red', 'blue'], missing: 'red' },
    },
    label: { name: 'isLate' },
  };
  const files: readonly [string, string][] = [
    ['a.jsonl', '{"id":"o-1","label":true}\n{"id":2,"isLate":false,"weight":3}\n'],
    ['a.csv', 'id,isLate,weight\no-1,true,\n2,false,3\n'],
  ];

  it.each(files)('are labels of what was asked, however they are sent (%s)', async (name, text) => {
    const world = createWorld(spec);
    const bytes = bytesInMemory(Buffer.from(text));
    const declared = defineSpec(spec);
    const sent = await sendFile(world, declared, { name, bytes }, { wait: async () => undefined });
    expect(sent).toMatchObject({ samples: 2, refused: 0, absent: [] });
    const { samples } = JSON.parse(world.sentSamples[0]?.body ?? '');
    for (const sample of samples) expect(sample).not.toHaveProperty('features');
    expect(samples).toMatchObject([{ id: 'o-1' }, { id: name === 'a.csv' ? '2' : 2 }]);
    expect(createEncoder(declared).encodeLabels(samples).refused).toEqual([]);
    const body = Buffer.from(text);
    const { texts } = await samplesOfLines(declared, { name, body }, sampleWriter(declared));
    expect(texts.map((each) => JSON.parse(each))).toEqual(samples);
  });

  it.each<[string, string, string | undefined]>([
    ['a.csv', 'id,isLate,default\n1,false,true\n2,true,\n3,true,false\n', undefined],
    ['b.csv', 'order,isLate,default\n1,false,yes\n2,true,\n3,true,no\n', 'order'],
    [
      'a.jsonl',
      [1, 2, 3].map((id) => JSON.stringify({ id, label: id > 1, default: id < 2 })).join('\n'),
      undefined,
    ],
    [
      'b.jsonl',
      [1, 2, 3]
        .map((id) => JSON.stringify({ order: id, isLate: id > 1, default: id < 2 }))
        .join('\n'),
      'order',
    ],
  ])('say which of them are defaults (%s)', async (name, text, idColumn) => {
    const world = createWorld(spec);
    const bytes = bytesInMemory(Buffer.from(text));
    const options = { idColumn, wait: async () => undefined };
    const sent = await sendFile(world, defineSpec(spec), { name, bytes }, options);
    expect(sent).toMatchObject({ samples: 3, refused: 0 });
    const { samples } = JSON.parse(world.sentSamples[0]?.body ?? '');
    expect(samples.map((each: { default?: unknown }) => each.default)).toEqual([
      true,
      undefined,
      undefined,
    ]);
  });

  it.each([
    ['weight', '{"id":1,"weight":70,"isLate":true}'],
    ['default', '{"id":1,"default":"yes","isLate":true}'],
  ])('are samples where a feature is called %s', async (name, text) => {
    const feature = name === 'weight' ? { type: 'number' } : { type: 'category', buckets: 8 };
    const declared = defineSpec({ ...spec, features: { [name]: feature } } as SpecInput);
    const file = { name: 'a.jsonl', body: Buffer.from(`${text}\n`) };
    const { texts } = await samplesOfLines(declared, file, sampleWriter(declared));
    expect(texts.map((each) => JSON.parse(each))).toMatchObject([
      { features: { [name]: expect.anything() }, label: true },
    ]);
  });

  it('are labels beside columns that the spec does not know, and samples beside rows with features', async () => {
    const declared = defineSpec(spec);
    const read = async (name: string, text: string) => {
      const file = { name, body: Buffer.from(text) };
      const { texts } = await samplesOfLines(declared, file, sampleWriter(declared));
      return texts.map((each) => JSON.parse(each));
    };
    const commented = 'id,isLate,comment\n1,true,x\n';
    expect(await read('a.csv', commented)).toEqual([{ id: '1', label: 'true' }]);
    const mixed = '{"id":1,"isLate":true,"urgency":2}\n{"id":2,"isLate":true}\n';
    expect(await read('a.jsonl', mixed)).toEqual([
      { features: { urgency: 2 }, label: true },
      { features: {}, label: true },
    ]);
  });

  it('are samples of a dataset, in which nobody asked anything', async () => {
    const bytes = bytesInMemory(Buffer.from('{"id":1,"isLate":true}\n'));
    const read: unknown[] = [];
    for await (const { samples } of readSamples(defineSpec(spec), { name: 'a.jsonl', bytes }))
      read.push(...samples);
    expect(read).toEqual([{ features: {}, label: true }]);
  });

  it('are samples where a feature is called id, or they have another column', async () => {
    const { features } = spec;
    const known = defineSpec({ ...spec, features: { ...features, id: { type: 'number' } } });
    const read = async (declared: Spec, text: string) => {
      const file = { name: 'a.jsonl', body: Buffer.from(text) };
      const { texts } = await samplesOfLines(declared, file, sampleWriter(declared));
      return texts.map((each) => JSON.parse(each));
    };
    expect(await read(known, '{"id":7,"isLate":true}\n')).toMatchObject([{ features: { id: 7 } }]);
    const [sample] = await read(defineSpec(spec), '{"id":7,"isLate":true,"urgency":1}\n');
    expect(sample).toEqual({ features: { urgency: 1 }, label: true });
  });
});

it('is learnt once, though two sizes of messages are on their way', async () => {
  const world = createWorld();
  const rows = Array.from({ length: 60 }, (_, i) => JSON.stringify(ticket(i)));
  const file = { name: 'a.jsonl', bytes: bytesInMemory(Buffer.from(`${rows.join('\n')}\n`)) };
  const wait = async () => undefined;
  // Nothing of the first is learnt yet, so that nobody knows of it.
  await sendFile(world, ticketsSpec, file, { samplesPerMessage: 50, wait });
  await sendFile(world, ticketsSpec, file, { wait });
  const sent = world.sentSamples.splice(0).map(({ body }, i) => message(i + 1, body));
  for (const each of sent) await deliver(world, [each]);
  expect((await published(world)).learnt).toBe(60);
  expect(await retryQuarantine(world, ticketsSpec.model)).toMatchObject({
    sent: 0,
    left: Array(3).fill({ reason: expect.stringContaining('the same file was sent before') }),
  });
});

it.each([
  [30, 2],
  [2_000, 50],
  [26_000, 52],
])('sends a file of %i rows in %i messages', async (rows, messages) => {
  const text = Array.from({ length: rows }, (_, i) => JSON.stringify(ticket(i))).join('\n');
  const file = { name: 'a.jsonl', bytes: bytesInMemory(Buffer.from(`${text}\n`)) };
  const wait = async () => undefined;
  expect((await sendFile(createWorld(), ticketsSpec, file, { wait })).messages).toBe(messages);
  const packed = { name: 'a.jsonl.gz', bytes: bytesInMemory(gzipSync(text)) };
  const { messages: ofPacked } = await sendFile(createWorld(), ticketsSpec, packed, { wait });
  expect(ofPacked).toBe(messages);
});

it('sends fewer labels in a message where their questions are large', async () => {
  const vector = { type: 'vector', length: 3_072 } as const;
  const spec = defineSpec({ ...ticketsSpec, features: { vector } });
  const world = createWorld(spec);
  const text = `order,label\n${Array.from({ length: 500 }, (_, i) => `${i},true\n`).join('')}`;
  const file = { name: 'a.csv', bytes: bytesInMemory(Buffer.from(text)) };
  const wait = async () => undefined;
  const { messages } = await sendFile(world, spec, file, { idColumn: 'order', wait });
  expect(messages).toBe(3);
  const named = { ...file, bytes: bytesInMemory(Buffer.from(text.replace('order', 'id'))) };
  const options = { samplesPerMessage: 500, wait };
  expect((await sendFile(createWorld(spec), spec, named, options)).messages).toBe(3);
});
