import { createHash } from 'node:crypto';
import { zstdCompressSync } from 'node:zlib';
import { beforeEach, describe, expect, it } from 'vitest';
import { keys } from '../../lib/bucket/keys.ts';
import type { EntryHeader } from '../../lib/commands/commands.ts';
import { clockSkew, stretchOfTime } from '../../lib/journal/by-time.ts';
import { encodeEntry } from '../../lib/journal/entry.ts';
import { headersAfter, headersBackFrom } from '../../lib/journal/reading.ts';
import { decodeSegment, encodeSegment } from '../../lib/journal/segment-file.ts';
import { joinEntries } from '../../lib/journal/segments.ts';
import { limits } from '../../lib/limits.ts';
import { createRandom } from '../simulation/random.ts';
import { type MemoryStore, memoryStore } from '../support/memory-store.ts';

const segmentEntries = 50;
const entries = 433;
const bytesOfSamples = 4_000;
const random = createRandom(11, 1);
/** One a second, by clocks that differ by up to half a minute. */
const times = Array.from(
  { length: entries },
  (_, i) => 1_000 * i + Math.floor((random.next() * clockSkew) / 2),
);

function headerOf(sequence: number): EntryHeader {
  const common = { spec: 's', engine: 'e', nonce: `n${sequence}` };
  const learnt = { queue: 'q', sequenceNumber: '1', outcome: 'learnt' as const };
  const messages = [{ id: `message-${sequence}`, ...learnt, samples: 1, refused: 0 }];
  const time = new Date(times[sequence - 1] ?? 0).toISOString();
  return { kind: 'samples', model: 'm', sequence, ...common, time, messages };
}

/** What nothing compresses. */
const noise = (sequence: number) =>
  Array.from({ length: bytesOfSamples }, (_, i) => ((sequence * 7919 + i * i) % 89).toString(36));

async function journal(): Promise<MemoryStore> {
  const store = memoryStore();
  const log = { info: () => undefined, warn: () => undefined, error: () => undefined };
  for (let sequence = 1; sequence <= entries; sequence++) {
    const entry = encodeEntry({ header: headerOf(sequence), samples: [noise(sequence)] });
    await store.put(keys.entry('m', sequence), entry);
    await joinEntries({ store, log, limits: { ...limits, segmentEntries } }, 'm', sequence);
  }
  return store;
}

/** A segment whose frame of headers holds something else, as of a later release. */
function withHeaders(segment: Buffer, content: Uint8Array): Buffer {
  const indexBytes = 8 + segment.readUInt32LE(4);
  const index = JSON.parse(segment.toString('utf8', 8, indexBytes));
  const lead = (bytes: Uint8Array) => {
    const header = Buffer.from(segment.subarray(0, 8));
    header.writeUInt32LE(bytes.length, 4);
    return Buffer.concat([header, bytes]);
  };
  const frame = lead(content);
  const headers = [frame.length, createHash('sha256').update(frame).digest('hex')];
  const rest = segment.subarray(indexBytes + index.headers[0]);
  return Buffer.concat([lead(Buffer.from(JSON.stringify({ ...index, headers }))), frame, rest]);
}

async function allOf(headers: AsyncIterable<EntryHeader>): Promise<readonly EntryHeader[]> {
  const found: EntryHeader[] = [];
  for await (const header of headers) found.push(header);
  return found;
}

const numbers = (from: number, to: number) =>
  Array.from({ length: Math.max(0, to - from + 1) }, (_, i) => headerOf(from + i));
const segmentKeys = (store: MemoryStore) =>
  [...store.objects.keys()].filter((key) => key.includes('/segments/'));

describe('headers of a journal', () => {
  let store: MemoryStore;
  beforeEach(async () => {
    store = await journal();
  });

  it('are read by segments, from wherever, to wherever, and what they are of is not', async () => {
    let bytes = 0;
    store.hook = ({ when, operation, key }) => {
      if (when === 'before' && operation === 'get' && key.includes('/journal/'))
        bytes += store.objects.get(key)?.body.length ?? 0;
    };
    for (const from of [0, 1, 49, 50, 99, 250, 432])
      for (const to of [undefined, 433, 400, 399, 101, 60]) {
        if (to !== undefined && to < from) continue;
        const reading = { ahead: 16, ...(to === undefined ? {} : { to }) };
        const found = await allOf(headersAfter(store, 'm', from, reading));
        expect(found).toEqual(numbers(from + 1, to ?? entries));
      }
    for (const from of [433, 400, 399, 101, 50, 1, 0])
      expect(await allOf(headersBackFrom(store, 'm', from))).toEqual(numbers(1, from).toReversed());
    bytes = 0;
    const usual = await allOf(headersAfter(store, 'm', 0, { to: 399, ahead: 16 }));
    expect([usual.length, bytes]).toEqual([399, 0]);
  });

  it('are read from the entries where segments are damaged, of before 0.19, or of others', async () => {
    const [, , third = ''] = segmentKeys(store);
    const body = Buffer.from(store.objects.get(third)?.body ?? []);
    const own = decodeSegment(body, 'm', { first: 100, last: 149 }) ?? [];
    expect(Buffer.from(encodeSegment('m', 100, own))).toEqual(body);
    const indexBytes = 8 + body.readUInt32LE(4);
    const index = JSON.parse(body.toString('utf8', 8, indexBytes));
    const [headerBytes] = index.headers;
    const { headers: _, ...others } = index;
    const old = Buffer.from(JSON.stringify({ ...others, format: 'millrace-segment-1' }));
    const lead = Buffer.from(body.subarray(0, 8));
    lead.writeUInt32LE(old.length, 4);
    const asBefore = Buffer.concat([lead, old, body.subarray(indexBytes + headerBytes)]);
    expect(decodeSegment(asBefore, 'm', { first: 100, last: 149 })).toEqual(own);
    const odd: Uint8Array[] = [
      asBefore,
      Buffer.alloc(0),
      body.subarray(0, 7),
      body.subarray(0, indexBytes + 3),
      body.subarray(0, indexBytes + headerBytes - 1),
      Buffer.from(body).fill(0xff, indexBytes + 9, indexBytes + 10),
      encodeSegment('other', 100, own),
      encodeSegment('m', 101, own),
      withHeaders(body, Buffer.from('hello')),
      withHeaders(body, zstdCompressSync('{"kind":"later-kind"}')),
      encodeSegment('m', 100, own.slice(1)),
      encodeSegment('m', 100, own.toReversed()),
      encodeSegment(
        'm',
        100,
        own.map((each) => ({ ...each, etag: 'before' })),
      ),
    ];
    let read = 0;
    store.hook = ({ when, operation, key }) => {
      if (when === 'before' && operation === 'get' && key.includes('/journal/')) read += 1;
    };
    for (const file of odd) {
      await store.put(third, file);
      read = 0;
      const found = await allOf(headersAfter(store, 'm', 0, { to: entries, ahead: 16 }));
      expect(found).toEqual(numbers(1, entries));
      // Those of earlier releases are read whole; the last entries are in none.
      const isRead = [asBefore, odd[5], odd[8], odd[9]].includes(file);
      expect(read).toBe((isRead ? 0 : 50) + entries - 399);
    }
  });

  it('hide no entry that is gone, or that somebody wrote over', async () => {
    const other = { ...headerOf(170), nonce: 'other' };
    await store.put(keys.entry('m', 170), encodeEntry({ header: other, samples: [[1]] }));
    const found = await allOf(headersAfter(store, 'm', 0, { to: 300, ahead: 16 }));
    expect(found[169]).toEqual(other);
    store.remove(keys.entry('m', 170));
    const gone = allOf(headersAfter(store, 'm', 0, { to: 300, ahead: 16 }));
    await expect(gone).rejects.toMatchObject({ kind: 'corrupt' });
  });

  it('are in a stretch by their times, whose ends are found by halves', async () => {
    const all = numbers(1, entries);
    let reads = 0;
    store.hook = ({ when, operation }) => {
      if (when === 'before' && operation === 'get') reads += 1;
    };
    let least = Number.POSITIVE_INFINITY;
    for (let draw = 0; draw < 60; draw++) {
      const [a = 0, b = 0] = [0, 1].map(() => Math.floor(random.next() * 500_000) - 20_000);
      const [first, last] = [Math.min(a, b), Math.max(a, b)];
      reads = 0;
      const { after, to } = await stretchOfTime(store, 'm', { first, last, end: entries });
      expect(reads).toBeLessThan(10);
      least = Math.min(least, to - after);
      for (const { sequence, time } of all) {
        const at = Date.parse(time);
        const isMeant = first <= at && at <= last;
        if (isMeant) expect(after < sequence && sequence <= to, `${sequence}`).toBe(true);
      }
    }
    expect(least).toBeLessThan(entries / 2);
  });

  it('are looked for everywhere where a segment begins with an entry that is gone or damaged', async () => {
    const late = Date.parse(headerOf(420).time);
    const stretch = (end = entries) => stretchOfTime(store, 'm', { first: late, last: late, end });
    expect((await stretch()).after).toBeGreaterThan(0);
    await store.put(keys.entry('m', 200), Buffer.from('nothing that one wrote'));
    expect(await stretch()).toEqual({ after: 0, to: entries });
    store.remove(keys.entry('m', 200));
    expect(await stretch()).toEqual({ after: 0, to: entries });
    // Segments of a longer journal of that name say nothing of this one.
    expect((await stretch(150)).to).toBeLessThanOrEqual(150);
  });

  it('of one moment are found where a clock was a minute ahead', async () => {
    const begin = Date.parse(headerOf(100).time);
    const first = begin + clockSkew;
    expect(
      (await stretchOfTime(store, 'm', { first, last: first, end: entries })).after,
    ).toBeLessThan(99);
  });
});
