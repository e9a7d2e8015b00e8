import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { keys } from '../../lib/bucket/keys.ts';
import type { SettledMessage } from '../../lib/commands/header.ts';
import type { Entry } from '../../lib/journal/entry.ts';
import { readQuarantine } from '../../lib/journal/quarantine.ts';
import { entriesAfter } from '../../lib/journal/reading.ts';
import { limits } from '../../lib/limits.ts';
import { createModel } from '../../lib/model/create-model.ts';
import { createProducer } from '../../lib/ports/producer.ts';
import { objects } from '../fuzz/bodies.ts';
import { startTestCloud, type TestCloud, until } from '../support/test-cloud.ts';
import { ticket, ticketsSpec } from '../support/world.ts';

const { model } = ticketsSpec;
const corpus = join(import.meta.dirname, '../fuzz/corpus');
const fill = (text: string, rest: number) =>
  text.repeat(Math.floor((limits.messageBytes - rest) / text.length));

/** Bodies of nearly 1 MiB, each of another kind. */
const large = [
  `{"samples": [${fill('{},', 20)}{}]}`,
  `{"samples": [${fill('0,', 20)}0]}`,
  `{"samples": ${fill('[', 20)}`,
  `{"samples": [{"features": {"urgency": ${fill('9', 60)}}}]}`,
  `{"producer": "large", "seq": 1, "samples": ["${fill('x', 60)}"]}`,
  fill('\u{1f4a3}', 4).slice(0, 500_000),
];

/** The journal's messages, once the one of a producer is the last. */
function journalUpTo({ ports }: TestCloud, last: string) {
  return until(async () => {
    const messages: SettledMessage[] = [];
    for await (const { header } of entriesAfter(ports.store, model, 0))
      messages.push(...header.messages);
    return messages.at(-1)?.producer === last ? messages : undefined;
  });
}

describe('the online function, from its bundle, in the memory that it is given', {}, () => {
  let test: TestCloud;
  beforeAll(async () => {
    test = await startTestCloud();
    await createModel(test.ports, ticketsSpec);
    for (const [key, body] of Object.entries(objects)) await test.ports.store.put(key, body);
  });
  afterAll(() => test.remove());

  it('settles whatever arrives, and goes on', async () => {
    const texts = readdirSync(corpus).map((file) => readFileSync(join(corpus, file), 'utf8'));
    const uris = Object.keys(objects).map((key) =>
      JSON.stringify({ samples: `s3://memory/${key}` }),
    );
    const bodies = [...texts, ...uris, ...large].map((body) =>
      body.replace('s3://memory/', `s3://${test.cloud.address.bucket}/`),
    );
    for (const [i, body] of bodies.entries()) {
      await test.ports.sendSamples({ group: model, body, deduplication: `hostile-${i}` });
    }
    const good = JSON.stringify({ producer: 'good', seq: 1, samples: [ticket(1)] });
    await test.ports.sendSamples({ group: model, body: good, deduplication: 'good' });

    const settled = await journalUpTo(test, 'good');
    expect(test.cloud.failedDeliveries()).toBe(0);
    expect(settled).toHaveLength(bodies.length + 1);
    const reasons = new Map(
      (await readQuarantine(test.ports.store, model)).map(({ message, refused }) => [
        message,
        refused,
      ]),
    );
    for (const { id, refused } of settled) expect(reasons.get(id)?.length ?? 0).toBe(refused);
    expect(settled.filter(({ outcome }) => outcome === 'rejected').length).toBeGreaterThan(15);

    const listed = (await test.ports.store.list('')).map(({ key }) => key);
    const foreign = listed.filter(
      (key) => !key.startsWith(`models/${model}/`) && !(key in objects),
    );
    expect(foreign.filter((key) => !key.startsWith('compiled/'))).toEqual([]);
    const other = await test.ports.store.get(keys.state('other'));
    expect(Buffer.from(other?.body ?? []).toString()).toBe('not yours');
  });

  it('takes every character that JSON may hold, and says which message can never be sent', async () => {
    const team = '\u{1f4a3}\u0000\ud800\ufffe\uffff\u007f';
    const sample = { ...ticket(1), features: { ...ticket(1).features, team } };
    const producer = createProducer(test.ports.sendSamples, model, 'characters');
    await producer.send([sample]);
    await journalUpTo(test, 'characters');
    const entries: Entry[] = [];
    for await (const entry of entriesAfter(test.ports.store, model, 0)) entries.push(entry);
    expect(entries.at(-1)?.samples).toEqual([[sample]]);
    await expect(producer.send(['x'.repeat(limits.messageBytes)])).rejects.toMatchObject({
      kind: 'invalid',
      message: expect.stringContaining('must be shorter than 1048576 bytes'),
    });
    // Its number was not used.
    expect(producer.nextSeq()).toBe(2);
  });
});
