import { gzipSync, zstdCompressSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { quarantined } from '../support/quarantined.ts';
import { createWorld, deliver, foldJournal, message, ticket } from '../support/world.ts';

describe('an object of samples', () => {
  it('is refused where it is a bomb', async () => {
    const world = createWorld();
    await world.store.put('datasets/bomb.jsonl.gz', gzipSync(Buffer.alloc(80 * 1_048_576, '\n')));
    const sent = message(1, { samples: 's3://memory/datasets/bomb.jsonl.gz' });
    await deliver(world, [sent]);
    expect((await quarantined(world, sent.id)).refused[0].reason).toMatch(
      /has more than 67108864 bytes when unpacked/,
    );
  });

  it.each([
    ['gzip', gzipSync],
    ['zstd', zstdCompressSync],
  ] as const)(
    'is refused where its %s is cut short; a whole one is learnt',
    async (packing, pack) => {
      const world = createWorld();
      const lines = [1, 2].map((i) => JSON.stringify(ticket(i))).join('\n');
      const whole = pack(Buffer.from(lines));
      await world.store.put('datasets/whole', whole);
      await world.store.put('datasets/cut', whole.subarray(0, -9));
      const uri = 's3://memory/datasets/';
      const sent = message(1, { samples: `${uri}cut` });
      await deliver(world, [sent, message(2, { samples: `${uri}whole` })]);
      expect((await quarantined(world, sent.id)).refused[0].reason).toContain(
        `${uri}cut cannot be read: its ${packing} is cut short`,
      );
      expect((await foldJournal(world)).learnt).toBe(2);
    },
  );

  it('is refused where it has more lines than samples may be, which are never held at once', async () => {
    const world = createWorld();
    await world.store.put('datasets/ones.jsonl', Buffer.from('1\n'.repeat(8 * 1_048_576)));
    const before = process.memoryUsage.rss();
    const sent = message(1, { samples: 's3://memory/datasets/ones.jsonl' });
    await deliver(world, [sent]);
    // A list of 8 million lines takes more.
    expect(process.memoryUsage.rss() - before).toBeLessThan(500 * 1_048_576);
    expect((await quarantined(world, sent.id)).refused[0].reason).toMatch(
      /at most 100000 samples a message; .*ones\.jsonl has more/,
    );
  });

  it('is learnt', async () => {
    const world = createWorld();
    const lines = [ticket(1), ticket(2)].map((sample) => JSON.stringify(sample)).join('\n');
    await world.store.put('datasets/late/one.jsonl.gz', gzipSync(lines));
    await deliver(world, [message(1, { samples: 's3://memory/datasets/late/one.jsonl.gz' })]);
    expect((await foldJournal(world)).learnt).toBe(2);
  });
});
