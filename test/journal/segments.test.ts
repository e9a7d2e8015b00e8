import { execFileSync, spawnSync } from 'node:child_process';
import { beforeEach, describe, expect, it } from 'vitest';
import { keys } from '../../lib/bucket/keys.ts';
import { MillraceError } from '../../lib/errors.ts';
import { decodeEntry, encodeEntry } from '../../lib/journal/entry.ts';
import { entriesAfter, entriesBackFrom } from '../../lib/journal/reading.ts';
import { decodeSegment, encodeSegment } from '../../lib/journal/segment-file.ts';
import { joinEntries } from '../../lib/journal/segments.ts';
import { limits } from '../../lib/limits.ts';
import { type ModelCache, settleDelivery } from '../../lib/online/settle-delivery.ts';
import { verifyModel } from '../../lib/operations/verify.ts';
import { type MemoryStore, memoryStore } from '../support/memory-store.ts';
import { createWorld, message, modelOf, ticket, ticketsSpec } from '../support/world.ts';

const hasZstdcat = spawnSync('zstdcat', ['--version']).status === 0;
const segmentEntries = 50;
const entries = 333;

function entryOf(sequence: number, samples: readonly unknown[] = []): Uint8Array {
  const common = { spec: 's', engine: 'e', nonce: `n${sequence}`, time: 't' };
  const learnt = { id: 'i', queue: 'q', sequenceNumber: '1', outcome: 'learnt' as const };
  const messages = [{ ...learnt, samples: samples.length, refused: 0 }];
  return encodeEntry({
    header: { kind: 'samples', model: 'm', sequence, ...common, messages },
    samples: [samples],
  });
}

/** A journal, joined as it grew; what was said about it; and how often its store was asked. */
async function journalOf(count: number) {
  const store = memoryStore();
  const warnings: string[] = [];
  const log = {
    info: () => undefined,
    warn: (text: string) => void warnings.push(text),
    error: () => undefined,
  };
  const ports = { store, log, limits: { ...limits, segmentEntries } };
  for (let sequence = 1; sequence <= count; sequence++) {
    await store.put(keys.entry('m', sequence), entryOf(sequence));
    await joinEntries(ports, 'm', sequence);
  }
  return { store, ports, warnings };
}

async function read(store: MemoryStore, found: ReturnType<typeof entriesAfter>) {
  let requests = 0;
  store.hook = ({ when }) => {
    if (when === 'before') requests += 1;
  };
  const sequences: number[] = [];
  for await (const { header } of found) sequences.push(header.sequence);
  store.hook = () => undefined;
  return { sequences, requests };
}

const numbers = (from: number, to: number) =>
  Array.from({ length: Math.max(0, to - from + 1) }, (_, i) => from + i);
const segmentKeys = (store: MemoryStore) =>
  [...store.objects.keys()].filter((key) => key.includes('/segments/'));

describe('segments of a journal', () => {
  let store: MemoryStore;
  beforeEach(async () => {
    ({ store } = await journalOf(entries));
  });

  it('are read in place of their entries, from wherever, to wherever', async () => {
    expect(segmentKeys(store)).toHaveLength(6);
    for (const from of [0, 1, 49, 50, 99, 100, 150, 201, 332, 333])
      for (const to of [undefined, 333, 300, 299, 301, 202, 150, 101, 60]) {
        if (to !== undefined && to < from) continue;
        const bounds = to === undefined ? {} : { to };
        const found = await read(store, entriesAfter(store, 'm', from, { ...bounds, ahead: 16 }));
        expect(found.sequences, `${from} to ${to}`).toEqual(numbers(from + 1, to ?? entries));
      }
    for (const from of [333, 332, 301, 300, 299, 150, 101, 100, 1, 0]) {
      const found = await read(store, entriesBackFrom(store, 'm', from));
      expect(found.sequences, `back from ${from}`).toEqual(numbers(1, from).toReversed());
    }
  });

  it('cost two requests for each, and nobody who reads a little looks for them', async () => {
    const { entriesBeforeSegments: alone } = limits;
    const all = await read(store, entriesAfter(store, 'm', 0, { ahead: 16 }));
    // The segments are looked for once; the last entries are in none yet, and behind them is none.
    expect(all.requests).toBe(alone + 1 + 4 * 2 + 34 + 16);
    // Who says how much he reads looks for them at once.
    const known = await read(store, entriesAfter(store, 'm', 0, { to: 300, ahead: 16 }));
    expect(known.requests).toBe(1 + 6 * 2 + 1);
    const part = await read(store, entriesAfter(store, 'm', 150, { to: 260, ahead: 16 }));
    expect(part.requests).toBe(1 + 3 * 2);
    const back = await read(store, entriesBackFrom(store, 'm', 300));
    expect(back.requests).toBe(alone + 1 + 5 * 2);
    expect((await read(store, entriesAfter(store, 'm', 233, { ahead: 1 }))).requests).toBe(101);
    expect((await read(store, entriesAfter(store, 'm', 0))).requests).toBe(334);
  });

  it('are passed over where they are damaged, missing, or of another journal', async () => {
    const [, , third = '', fourth = '', fifth = '', sixth = ''] = segmentKeys(store);
    const body = Buffer.from(store.objects.get(third)?.body ?? []);
    const stored = (sequence: number) => {
      const object = store.objects.get(keys.entry('m', sequence));
      if (object === undefined) throw new Error(`there is no entry ${sequence}`);
      return object;
    };
    const own = numbers(100, 149).map(stored);
    expect(Buffer.from(encodeSegment('m', 100, own))).toEqual(body);
    store.remove(fourth);
    const odd: Uint8Array[] = [
      body.subarray(0, body.length - 1),
      body.subarray(0, 5),
      Buffer.alloc(0),
      Buffer.from(body).fill(0xff, body.length - 9, body.length - 8),
      encodeSegment('other', 100, own),
      encodeSegment('m', 100, own.slice(1)),
      encodeSegment('m', 100, []),
      // Begun while a model of the name before was there: one entry of it is among them.
      encodeSegment('m', 100, [{ body: entryOf(100, [1]), etag: 'before' }, ...own.slice(1)]),
    ];
    await store.put(fifth, Buffer.from('{'));
    await store.put(sixth, Buffer.from(body));
    await store.put(keys.segment('m', { first: 120, last: 333 }), Buffer.from(body));
    await store.put('models/m/segments/000000000000-000000000050', Buffer.from(body));
    for (const bytes of odd) {
      await store.put(third, bytes);
      const ahead = await read(store, entriesAfter(store, 'm', 0, { ahead: 16 }));
      expect(ahead.sequences).toEqual(numbers(1, entries));
      const back = await read(store, entriesBackFrom(store, 'm', entries));
      expect(back.sequences).toEqual(numbers(1, entries).toReversed());
    }
  });

  it('hide no entry that is gone, or that somebody wrote over', async () => {
    const own = entryOf(170, [1]);
    await store.put(keys.entry('m', 170), own);
    const samples: unknown[] = [];
    for await (const entry of entriesAfter(store, 'm', 0, { ahead: 16 }))
      samples.push(...entry.samples.flat());
    expect(samples).toEqual([1]);
    await store.put(keys.entry('m', 170), Buffer.from('junk'));
    const damaged = read(store, entriesAfter(store, 'm', 0, { ahead: 16 }));
    await expect(damaged).rejects.toMatchObject({ kind: 'corrupt' });
    store.remove(keys.entry('m', 170));
    const gone = read(store, entriesBackFrom(store, 'm', entries));
    await expect(gone).rejects.toMatchObject({ kind: 'corrupt' });
  });

  it('still show where an entry is missing that must be there', async () => {
    store.remove(keys.entry('m', 320));
    const all = read(store, entriesAfter(store, 'm', 0, { to: entries, ahead: 16 }));
    await expect(all).rejects.toMatchObject({ kind: 'corrupt' });
    const known = await read(store, entriesAfter(store, 'm', 0, { ahead: 16 }));
    expect(known.sequences).toEqual(numbers(1, 319));
  });

  it('hold the bytes of the entries', async () => {
    const [first = ''] = segmentKeys(store);
    const body = store.objects.get(first)?.body ?? new Uint8Array();
    const stored = decodeSegment(body, 'm', { first: 1, last: 49 }) ?? [];
    expect(
      stored.map((each, i) => decodeEntry(each.body, 'k').header.sequence === i + 1),
    ).not.toContain(false);
  });

  it.skipIf(!hasZstdcat)('are shown by zstdcat', () => {
    const [first = ''] = segmentKeys(store);
    const body = store.objects.get(first)?.body ?? new Uint8Array();
    const shown = execFileSync('zstdcat', { input: body }).toString().trimEnd().split('\n');
    expect(shown.map((line) => JSON.parse(line).sequence)).toEqual(numbers(1, 49));
  });
});

describe('joining entries', () => {
  it('makes up for those that are missing, and stops nothing', async () => {
    const { store, ports, warnings } = await journalOf(entries);
    for (const key of segmentKeys(store)) store.remove(key);
    store.hook = ({ operation }) => {
      if (operation === 'put') throw new MillraceError('unavailable', 'away');
    };
    await joinEntries(ports, 'm', 299);
    expect(warnings).toEqual(['entries could not be joined']);
    store.hook = () => undefined;
    await joinEntries(ports, 'm', 298);
    await joinEntries(ports, 'm', 299, () => limits.joinReserveSeconds - 1);
    expect(segmentKeys(store)).toEqual([]);
    let looks = 0;
    await joinEntries(ports, 'm', 299, () => (looks++ < 60 ? 100 : 0));
    expect(segmentKeys(store)).toHaveLength(1);
    await joinEntries(ports, 'm', 299);
    expect(segmentKeys(store)).toHaveLength(6);
  });

  it('waits for entries that are not there yet, and reads none of those that are too large', async () => {
    const store = memoryStore();
    const log = { info: () => undefined, warn: () => undefined, error: () => undefined };
    const ports = { store, log, limits: { ...limits, segmentEntries: 3 } };
    const half = Buffer.alloc(limits.segmentBytes / 2 + 1);
    await store.put(keys.entry('m', 2), half);
    await joinEntries(ports, 'm', 2);
    expect(segmentKeys(store)).toEqual([]);
    await store.put(keys.entry('m', 1), half);
    let reads = 0;
    store.hook = ({ key, when, operation }) => {
      if (when === 'before' && operation === 'get' && key.includes('/journal/')) reads += 1;
    };
    await joinEntries(ports, 'm', 2);
    expect(reads).toBe(0);
    expect(segmentKeys(store)).toHaveLength(1);
    expect(store.objects.get(segmentKeys(store)[0] ?? '')?.body.length).toBeLessThan(300);
  });
});

describe('a long journal', () => {
  it('is joined by the stream itself, and verified by its segments', async () => {
    const world = createWorld(ticketsSpec, { segmentEntries, keptCheckpointEntries: 1_000 });
    const cache: ModelCache = new Map();
    for (let i = 1; i <= entries; i++)
      await settleDelivery(world, cache, [message(i, { samples: [ticket(i)] })], () => 100);
    expect(segmentKeys(world.store)).toHaveLength(6);
    let requests = 0;
    world.store.hook = ({ when, key }) => {
      if (when === 'before' && /journal|segments/.test(key)) requests += 1;
    };
    const verified = await verifyModel(world, await modelOf(world), true);
    expect(verified).toMatchObject({ to: entries, samples: entries, isSame: true });
    expect(requests).toBeLessThan(limits.entriesBeforeSegments + 100);
    world.store.hook = () => undefined;
    world.store.remove(keys.entry(ticketsSpec.model, 170));
    await expect(verifyModel(world, await modelOf(world), true)).rejects.toMatchObject({
      kind: 'corrupt',
      message: expect.stringContaining('000000000170 is missing'),
    });
  });
});
