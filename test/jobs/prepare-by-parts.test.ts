import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { parquetWriteBuffer } from 'hyparquet-writer';
import { describe, expect, it, vi } from 'vitest';
import { keys } from '../../lib/bucket/keys.ts';
import { digestOf } from '../../lib/bucket/safetensors.ts';
import type { PreparedDataset } from '../../lib/datasets/manifest.ts';
import { readOrPlanParts } from '../../lib/datasets/parts.ts';
import { type PrepareOptions, prepareDataset } from '../../lib/datasets/prepare.ts';
import { readHeldOut } from '../../lib/datasets/shards.ts';
import { isOfKind } from '../../lib/errors.ts';
import type { JobRecord } from '../../lib/jobs/record.ts';
import { runPart } from '../../lib/jobs/run-part.ts';
import { sourceOf } from '../../lib/jobs/source.ts';
import { defineSpec } from '../../lib/spec/spec.ts';
import { readWholeShard } from '../support/whole-shard.ts';
import { createWorld, modelOf, ticketsSpec, type World } from '../support/world.ts';

// Chunks of two rows, shards of five, pieces that end within lines: cuts are many.
vi.mock('../../lib/limits.ts', async (original) => {
  const { limits, ...others } = await original<typeof import('../../lib/limits.ts')>();
  const small = {
    chunkRows: 2,
    shardRows: 5,
    shardsPerKeep: 2,
    heldOutRows: 40,
    pieceBytes: 37,
    lookBytes: 31,
  };
  return { ...others, limits: { ...limits, ...small, refusedExamples: 1_000 } };
});

const spec = defineSpec({
  ...ticketsSpec,
  features: {
    number: { type: 'number', missing: 'mean' },
    note: { type: 'category', vocabulary: { size: 5 }, dimensions: 2 },
  },
  batch: { validation: 0.2, refusedShare: 0.9 },
});

type Rows = readonly { readonly note: string; readonly label: string }[];

const quoted = (cell: string) => (/[",\r\n]/.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell);

/** Rows as a file has them; a row's number says which it is. */
const writers: Readonly<Record<string, (rows: Rows, first: number, end: string) => Buffer>> = {
  csv: (rows, first, end) =>
    Buffer.from(
      [
        'number,note,label',
        ...rows.map((row, i) => `${first + i},${quoted(row.note)},${row.label}`),
      ]
        .map((line) => line + end)
        .join(''),
    ),
  'csv.gz': (rows, first, end) => gzipSync(writers.csv?.(rows, first, end) ?? ''),
  jsonl: (rows, first, end) =>
    Buffer.from(rows.map((row, i) => JSON.stringify({ number: first + i, ...row }) + end).join('')),
};

const note = fc.oneof(
  { weight: 3, arbitrary: fc.constantFrom('a', 'b', 'é', '', '👩‍🚀 at work') },
  fc.constantFrom('two\nlines', 'three\r\n\r\nlines', '"quoted"', 'x,y', '\n', 'long '.repeat(40)),
);
const label = fc.constantFrom('true', 'false', 'true', 'false', 'perhaps');
const file = fc.record({
  ending: fc.constantFrom(...Object.keys(writers), 'csv'),
  lineEnd: fc.constantFrom('\n', '\r\n', '\n\n', '\n \n', '\r'),
  mark: fc.boolean(),
  rows: fc.array(fc.record({ note, label }), { minLength: 1, maxLength: 24 }),
});
const files = fc.array(file, { minLength: 1, maxLength: 4 });
type Files = readonly {
  readonly ending: string;
  readonly lineEnd: string;
  readonly mark: boolean;
  readonly rows: Rows;
}[];

type Case = { readonly world: World; readonly record: JobRecord };

async function worldOf(some: Files, partBytes: number): Promise<Case> {
  const world = createWorld(spec, { partBytes });
  let first = 0;
  for (const [i, { ending, rows, lineEnd, mark }] of some.entries()) {
    const body = writers[ending]?.(rows, first, lineEnd) ?? Buffer.alloc(0);
    const hasMark = mark && !ending.endsWith('gz');
    const marked = hasMark ? Buffer.concat([Buffer.from('\ufeff'), body]) : body;
    await world.store.put(`${keys.dataset('past')}${i}.${ending}`, marked);
    first += rows.length;
  }
  const objects = (await world.store.list(keys.dataset('past'))).map(
    ({ key, etag, sizeBytes }) => ({ key, etag, sizeBytes }),
  );
  const record: JobRecord = {
    ...{ job: 'j', model: spec.model, spec: '', start: 'fresh', time: '' },
    ...{ dataset: 'past', objects, sequence: 0 },
  };
  return { world, record };
}

async function prepare({ world, record }: Case, options: PrepareOptions = {}) {
  const model = await modelOf(world);
  return prepareDataset(world, model, await sourceOf(world, model, record), options);
}

/** Rows, or why they cannot be prepared. */
async function outcomeOf(own: Case) {
  const preparing = await prepare(own).catch(reasonOf);
  if (typeof preparing === 'string') return preparing;
  if (!preparing.isDone) throw new Error('it is not prepared');
  return preparing.prepared;
}

const isNothing = (outcome: unknown) => String(outcome).includes('no row that can be learnt');

function reasonOf(error: unknown): string {
  if (isOfKind(error, 'invalid')) return error.message;
  throw error;
}

/** The numbers of the rows, trained and held out. */
async function numbersOf({ store }: World, prepared: PreparedDataset) {
  const shards = prepared.shardRows.map((_, i) => readWholeShard(store, prepared, i));
  const read = [...(await Promise.all(shards)), await readHeldOut(store, prepared)];
  return read.flatMap(({ raw }) => [...raw]).sort((a, b) => a - b);
}

/** All that is prepared, by its digests. */
function preparedIn({ store }: World) {
  return [...store.objects]
    .filter(([key]) => key.startsWith('prepared/') && !key.endsWith('unfinished.safetensors'))
    .map(([key, { body }]) => `${key} ${digestOf(body)}`)
    .sort();
}

/** Some parts, by others, who die and run out of time. */
async function prepareElsewhere(
  world: World,
  record: JobRecord,
  { crashes, isUp, order }: { crashes: number[]; isUp: boolean[]; order: number[] },
): Promise<void> {
  await world.store.put(keys.job(spec.model, record.job), Buffer.from(JSON.stringify(record)));
  let asked = 0;
  const preparing = await prepare({ world, record }, { sideBySide: () => true });
  if (preparing.isDone || preparing.parts === undefined) throw new Error('it is left to others');
  const key = preparing.parts.plan;
  const parts = await readOrPlanParts(world, key, [], await modelOf(world));
  let calls = 0;
  world.store.hook = () => {
    if (crashes.includes(calls++)) throw new Error('the machine is gone');
  };
  const secondsLeft = () => (isUp[asked++ % isUp.length] ? 0 : 900);
  for (const number of order) {
    const part = parts[number % parts.length];
    if (part === undefined) continue;
    const request = { model: spec.model, job: record.job, plan: key, part };
    await runPart(world, request, secondsLeft).catch(() => undefined);
  }
  world.store.hook = () => undefined;
}

const whole = 1_000_000;
const partBytes = fc.integer({ min: 8, max: 90 });

describe('a large dataset', () => {
  it('has the same bytes whoever prepares its parts, in any order, more than once, with deaths', async () => {
    const disturbance = fc.record({
      crashes: fc.uniqueArray(fc.nat(120), { maxLength: 6 }),
      isUp: fc.array(fc.boolean(), { minLength: 1, maxLength: 7 }),
      order: fc.array(fc.nat(99), { maxLength: 30 }),
    });
    let inParts = 0;
    await fc.assert(
      fc.asyncProperty(files, partBytes, disturbance, async (some, bytes, disturbed) => {
        const undisturbed = await worldOf(some, bytes);
        const expected = await outcomeOf(undisturbed);
        if (typeof expected === 'string' || expected.parts === undefined) return;
        inParts += 1;
        const { world, record } = await worldOf(some, bytes);
        await prepareElsewhere(world, record, disturbed);
        expect(await outcomeOf({ world, record })).toEqual(expected);
        expect(preparedIn(world)).toEqual(preparedIn(undisturbed.world));
      }),
      { numRuns: 250 },
    );
    expect(inParts).toBeGreaterThan(100);
  });

  it('is found where an earlier release prepared it in order', async () => {
    const rows = Array.from({ length: 60 }, () => ({ note: 'a', label: 'true' }));
    const own = { ending: 'jsonl', lineEnd: '\n', mark: false, rows };
    const { world, record } = await worldOf([own], whole);
    const before = await outcomeOf({ world, record });
    const newer = { ...world, limits: { ...world.limits, partBytes: 90 } };
    expect(await outcomeOf({ world: newer, record })).toEqual(before);
    const again = await prepare({ world: newer, record }, { isAgain: true });
    expect(again).toMatchObject({ prepared: { parts: expect.any(Array) } });
    const found = await outcomeOf({ world: newer, record });
    expect(found).toEqual(again.isDone && again.prepared);
  });

  it('is prepared where it grew', async () => {
    const rows = Array.from({ length: 40 }, () => ({ note: 'a', label: 'true' }));
    const own = { ending: 'jsonl', lineEnd: '\n', mark: false, rows };
    const { world, record } = await worldOf([own, own, own], 450);
    const before = await outcomeOf({ world, record });
    const puts: string[] = [];
    world.store.hook = ({ operation, key }) => {
      if (operation === 'put' && key.includes('/shard-')) puts.push(key);
    };
    const longer = await worldOf([own, own, own, own], 450);
    for (const { key } of longer.record.objects)
      await world.store.put(key, (await longer.world.store.get(key))?.body ?? Buffer.alloc(0));
    const objects = await world.store.list(keys.dataset('past'));
    const after = await outcomeOf({ world, record: { ...record, objects: [...objects] } });
    if (typeof before === 'string' || typeof after === 'string') throw new Error('it is prepared');
    const first = new Set(before.parts?.map(({ hash }) => hash));
    expect(first.size).toBeGreaterThan(10);
    expect(after.parts?.slice(0, first.size).map(({ hash }) => hash)).toEqual([...first]);
    expect(puts.length).toBeGreaterThan(0);
    expect(puts.filter((key) => first.has(key.split('/')[1] ?? ''))).toEqual([]);
  });

  it('holds out no more than a comparison can bear, and what the spec names wherever it is', async () => {
    const rows = Array.from({ length: 300 }, () => ({ note: 'a', label: 'true' }));
    const own = { ending: 'jsonl', lineEnd: '\n', mark: false, rows };
    const many = await outcomeOf(await worldOf([own, own], 150));
    if (typeof many === 'string') throw new Error(many);
    expect(many.parts?.length).toBeGreaterThan(80);
    expect(many.heldOutRows).toBeGreaterThan(0);
    expect(many.heldOutRows).toBeLessThanOrEqual(40);
    const tests = { ...own, rows: rows.slice(0, 30) };
    const byFile = defineSpec({ ...spec, batch: { ...spec.batch, validation: { files: '2.*' } } });
    const { world, record } = await worldOf([own, own, tests], 150);
    await world.store.put(keys.spec(spec.model), Buffer.from(JSON.stringify(byFile)));
    const named = await outcomeOf({ world, record });
    expect(named).toMatchObject({ heldOutRows: 30 });
    if (typeof named === 'string') throw new Error(named);
    expect(named.shardRows.reduce((sum, count) => sum + count, 0)).toBe(600);
  });

  it('has each row of a Parquet file once, also where a row group is empty', async () => {
    const data = (from: number, count: number) => Array.from({ length: count }, (_, i) => from + i);
    const preparedBy = async (partBytes: number) => {
      const { world, record } = await worldOf([], partBytes);
      for (const file of [0, 1, 2]) {
        const columnData = [
          { name: 'number', data: data(file * 60, 60) },
          { name: 'note', data: data(0, 60).map(() => 'a') },
          { name: 'label', data: data(0, 60).map((i) => i % 2 === 0) },
        ];
        // Other tools begin with an empty group where their first batch is empty.
        const body = parquetWriteBuffer({ columnData, rowGroupSize: [0, 20, 0, 0, 20, 20] });
        await world.store.put(`${keys.dataset('past')}${file}.parquet`, new Uint8Array(body));
      }
      const objects = [...(await world.store.list(keys.dataset('past')))];
      const prepared = await outcomeOf({ world, record: { ...record, objects } });
      if (typeof prepared === 'string') throw new Error(prepared);
      return { prepared, numbers: await numbersOf(world, prepared) };
    };
    const cut = await preparedBy(400);
    expect(cut.prepared.parts?.length).toBeGreaterThan(3);
    expect(cut.numbers).toEqual((await preparedBy(whole)).numbers);
  });

  it('has the same rows and the same refusals, however it is cut into parts', async () => {
    let inParts = 0;
    await fc.assert(
      fc.asyncProperty(files, partBytes, async (some, bytes) => {
        const ordered = await worldOf(some, whole);
        const cut = await worldOf(some, bytes);
        const [expected, found] = [await outcomeOf(ordered), await outcomeOf(cut)];
        // By chance, all rows of a few may be held out.
        if (isNothing(expected) || isNothing(found)) return;
        if (typeof expected === 'string' || typeof found === 'string') {
          expect(found).toEqual(expected);
          return;
        }
        if (found.parts !== undefined) inParts += 1;
        expect(await numbersOf(cut.world, found)).toEqual(await numbersOf(ordered.world, expected));
        const { refused, refusedRows, unknown } = expected;
        expect(found).toMatchObject({ refused, refusedRows, unknown });
      }),
      { numRuns: 250 },
    );
    expect(inParts).toBeGreaterThan(100);
  });
});
