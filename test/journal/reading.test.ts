import { setImmediate as turn } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { keys } from '../../lib/bucket/keys.ts';
import { encodeEntry } from '../../lib/journal/entry.ts';
import { entriesAfter, entriesBackFrom } from '../../lib/journal/reading.ts';
import { limits } from '../../lib/limits.ts';
import { type MemoryStore, memoryStore } from '../support/memory-store.ts';

async function journalOf(entries: number): Promise<MemoryStore> {
  const store = memoryStore();
  for (let sequence = 1; sequence <= entries; sequence++) {
    const common = { spec: 's', engine: 'e', nonce: 'n', time: 't', messages: [] };
    const entry = {
      header: { kind: 'samples' as const, model: 'm', sequence, ...common },
      samples: [],
    };
    await store.put(keys.entry('m', sequence), encodeEntry(entry));
  }
  return store;
}

async function sequencesOf(entries: ReturnType<typeof entriesAfter>): Promise<number[]> {
  const sequences: number[] = [];
  for await (const { header } of entries) sequences.push(header.sequence);
  return sequences;
}

describe('reading a journal', () => {
  it.each([1, 4, 100])(
    'gives its entries in order, %i reads at once, whichever answers first',
    async (ahead) => {
      const store = await journalOf(10);
      let [underWay, most, calls] = [0, 0, 0];
      store.hook = async ({ when }) => {
        underWay += when === 'before' ? 1 : -1;
        most = Math.max(most, underWay);
        // Every third read takes longer than those after it.
        if (when === 'before' && calls++ % 3 === 0) for (let i = 0; i < 5; i++) await turn();
      };
      expect(await sequencesOf(entriesAfter(store, 'm', 3, { ahead }))).toEqual([
        4, 5, 6, 7, 8, 9, 10,
      ]);
      expect(underWay).toBe(0);
      expect(most).toBe(ahead);
      most = 0;
      expect(await sequencesOf(entriesAfter(store, 'm', 3, { ahead, to: 6 }))).toEqual([4, 5, 6]);
      expect(most).toBe(Math.min(ahead, 3));
    },
  );

  it('gives them from the last to the first', async () => {
    const store = await journalOf(limits.readsAtOnce + 3);
    const all = await sequencesOf(entriesAfter(store, 'm', 0));
    expect(await sequencesOf(entriesBackFrom(store, 'm', all.length))).toEqual(all.toReversed());
  });

  it('is an error where one is missing that must be there', async () => {
    const store = await journalOf(5);
    const missing = {
      kind: 'corrupt',
      message: expect.stringContaining('000000000006 is missing'),
    };
    await expect(sequencesOf(entriesAfter(store, 'm', 0, { to: 6 }))).rejects.toMatchObject(
      missing,
    );
    await expect(sequencesOf(entriesBackFrom(store, 'm', 6))).rejects.toMatchObject(missing);
  });

  it('waits for the reads that nobody needs any more, and drops their errors', async () => {
    const store = await journalOf(8);
    let reads = 0;
    store.hook = async ({ key, when }) => {
      if (when === 'after') return;
      reads += 1;
      await turn();
      if (key !== keys.entry('m', 1)) throw new Error('away');
    };
    for await (const { header } of entriesAfter(store, 'm', 0, { ahead: 6 })) {
      expect(header.sequence).toBe(1);
      break;
    }
    await turn();
    expect(reads).toBe(6);
  });
});
