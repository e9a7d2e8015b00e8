import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { bytesInMemory } from '../../lib/datasets/byte-source.ts';
import { foldOf, heldOutDraw, shuffledOrder } from '../../lib/datasets/order.ts';
import { readRows } from '../../lib/datasets/rows.ts';
import { readHeldOut } from '../../lib/datasets/shards.ts';
import { rowReader } from '../../lib/datasets/to-sample.ts';
import { flightsOfMonth, readFlights } from '../../lib/examples/flights/data.ts';
import type { Row } from '../../lib/features/cell-table.ts';
import { createEncoder } from '../../lib/features/encoder.ts';
import { defineSpec } from '../../lib/spec/spec.ts';
import { memoryStore } from '../support/memory-store.ts';
import { prepareWhole } from '../support/prepare-whole.ts';
import { readWholeShard } from '../support/whole-shard.ts';
import { createWorld, ticket, ticketsSpec } from '../support/world.ts';

async function rowsOf(text: string | Uint8Array, key: string): Promise<Row[]> {
  const rows: Row[] = [];
  for await (const chunk of readRows({ name: key, bytes: bytesInMemory(Buffer.from(text)) }))
    rows.push(...chunk.rows);
  return rows;
}

describe('rows', () => {
  it.each([
    ['a.jsonl', '{"x":1,"y":"ü"}\n\n{"x":2,"y":"b"}'],
    ['a.jsonl.gz', gzipSync('{"x":1,"y":"ü"}\n{"x":2,"y":"b"}\n')],
  ])('are read from %s', async (key, text) => {
    expect(await rowsOf(text, key)).toEqual([
      { x: 1, y: 'ü' },
      { x: 2, y: 'b' },
    ]);
  });

  it('of JSON have whole numbers beyond 2^53 as they stand there', async () => {
    const text =
      '{"user":1152921504606846977,"x":[-9007199254740993,1.25],"y":0.1234567890123456789}';
    expect(await rowsOf(text, 'a.jsonl')).toEqual([
      {
        user: '1152921504606846977',
        x: ['-9007199254740993', 1.25],
        y: Number('0.1234567890123456789'),
      },
    ]);
    const kept = '{"user":9007199254740991,"id":"1152921504606846977","x":1234567890123456.5}';
    expect(await rowsOf(kept, 'a.jsonl')).toEqual([JSON.parse(kept)]);
  });

  it.each([
    ['a.csv', 'x,y\n1,"a, b"\n2,c\n'],
    ['a.csv.gz', gzipSync('\ufeffx,y\r\n1,"a, b"\r\n2,c')],
  ])('are read from %s, as texts', async (key, text) => {
    expect(await rowsOf(text, key)).toEqual([
      { x: '1', y: 'a, b' },
      { x: '2', y: 'c' },
    ]);
  });

  it.each([
    ['a.xlsx', 'x', /its name must end with \.jsonl/],
    ['a.csv', 'x,x\n1,2\n', /a\.csv cannot be read: line 1: two columns are named "x"/],
    ['a.csv', Buffer.from('x\nLi\u00e8ge\n', 'latin1'), /its text must be UTF-8/],
    ['a.csv.gz', Buffer.from([0x1f, 0x8b, 8, 0]), /a\.csv\.gz cannot be read/],
    ['a.parquet.gz', 'PAR1', /its name must end with/],
    ['a.parquet', 'PAR1', /a\.parquet cannot be read/],
  ])('of a broken %s are refused with the reason', async (key, text, reason) => {
    await expect(rowsOf(text, key)).rejects.toThrow(reason);
  });

  it('of the flights are read from Parquet, all of January', async () => {
    let count = 0;
    for await (const { flights } of readFlights(0, 0)) count += flights.length;
    expect(count).toBe(flightsOfMonth[0]);
  });
});

describe('a row', () => {
  const { toSample } = rowReader(ticketsSpec);

  it('becomes a sample by the columns that the spec names', () => {
    const expected = { features: { urgency: '3', team: 'red' }, label: '1' };
    expect(toSample({ urgency: '3', team: 'red', label: '1', id: 'x' })).toEqual(expected);
    expect(toSample({ ...expected.features, label: '1', weight: '2' })).toEqual({
      ...expected,
      weight: '2',
    });
    expect(toSample(expected)).toEqual(expected);
    // A model of an earlier release goes on as it began.
    const { cells: _, ...old } = ticketsSpec;
    const read = rowReader(old).toSample({ urgency: '3', team: 'red', label: '1', weight: '2' });
    expect(read).toEqual({ features: { urgency: 3, team: 'red' }, label: true, weight: 2 });
  });
});

describe('the order of an epoch', () => {
  it('is a permutation that depends on its key alone', () => {
    fc.assert(
      fc.property(fc.nat(300), fc.nat(), fc.nat(), (count, seed, epoch) => {
        const order = shuffledOrder(count, seed, epoch);
        expect([...order].sort((a, b) => a - b)).toEqual(
          Array.from({ length: count }, (_, i) => i),
        );
        expect(shuffledOrder(count, seed, epoch)).toEqual(order);
      }),
    );
    expect(shuffledOrder(100, 1, 1)).not.toEqual(shuffledOrder(100, 1, 2));
  });

  it('mixes well: over many keys every row comes first about as often', () => {
    const firsts = new Array<number>(10).fill(0);
    for (let key = 0; key < 10_000; key++) {
      const [first = 0] = shuffledOrder(10, key);
      firsts[first] = (firsts[first] ?? 0) + 1;
    }
    // 1,000 each, with a standard deviation of 30: six of them either way.
    expect(Math.max(...firsts.map((count) => Math.abs(count - 1_000)))).toBeLessThan(180);
  });

  it.each([2, 5, 7])('puts each of %i rows in a row into another fold', (folds) => {
    const draw = foldOf(folds, 3, 9);
    const drawn = Array.from({ length: 10 * folds }, (_, row) => draw(row));
    for (let first = 0; first < drawn.length; first += folds)
      expect(new Set(drawn.slice(first, first + folds)).size).toBe(folds);
    expect([...drawn.keys()].reverse().map(draw).reverse()).toEqual(drawn);
    const later = drawn.slice(folds);
    expect(later.some((fold, i) => fold !== drawn[i])).toBe(true);
  });

  it('holds out the share of rows that was asked for', () => {
    const draw = heldOutDraw(7);
    const draws = Array.from({ length: 20_000 }, (_, row) => draw(row));
    const heldOut = draws.filter((draw) => draw < 0.1).length;
    expect(heldOut).toBeGreaterThan(1_800);
    expect(heldOut).toBeLessThan(2_200);
  });
});

describe('a prepared dataset', () => {
  const spec = defineSpec(ticketsSpec);
  const ports = createWorld(spec);
  const declared = { spec, stored: spec, encoder: createEncoder(spec) };
  const samples = async function* () {
    for (let chunk = 0; chunk < 5; chunk++)
      yield { samples: Array.from({ length: 20 }, (_, i) => ticket(chunk * 20 + i)) };
  };

  it('holds every row once, in training or held out, and is the same when it is prepared again', async () => {
    const prepare = async () => {
      const store = memoryStore();
      const prepared = await prepareWhole({ ...ports, store }, declared, {
        identity: 'rows',
        samples,
      });
      return {
        store,
        prepared,
        shard: await readWholeShard(store, prepared, 0),
        heldOut: await readHeldOut(store, prepared),
      };
    };
    const first = await prepare();
    expect(first.shard.count + first.heldOut.count).toBe(100);
    expect(first.prepared).toMatchObject({
      shardRows: [first.shard.count],
      heldOutRows: first.heldOut.count,
    });
    expect(first.heldOut.count).toBeGreaterThan(5);
    const second = await prepare();
    expect([...second.store.objects]).toEqual([...first.store.objects]);
    const found = await prepareWhole({ ...ports, store: first.store }, declared, {
      identity: 'rows',
      samples() {
        throw new Error('it is prepared already');
      },
    });
    expect(found).toEqual(first.prepared);
  });
});
