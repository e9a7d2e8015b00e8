import { gzipSync } from 'node:zlib';
import { expect, it } from 'vitest';
import { bytesInMemory } from '../../lib/datasets/byte-source.ts';
import { sendFile } from '../../lib/operations/send-file.ts';
import { createWorld, ticket, ticketsSpec } from '../support/world.ts';

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
  expect(error.message).toMatch(/^a\.jsonl\.gz cannot be read: unexpected end of file; the \d+/);
  expect(error.message).toContain(
    `the ${samples} samples before were sent, as producer ${producer}`,
  );
});
