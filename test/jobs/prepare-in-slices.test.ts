import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, it, vi } from 'vitest';
import { keys } from '../../lib/bucket/keys.ts';
import { digestOf } from '../../lib/bucket/safetensors.ts';
import { type PrepareOptions, prepareDataset } from '../../lib/datasets/prepare.ts';
import { readHeldOut } from '../../lib/datasets/shards.ts';
import { isOfKind } from '../../lib/errors.ts';
import type { JobRecord } from '../../lib/jobs/record.ts';
import { sourceOf } from '../../lib/jobs/source.ts';
import { removeModel } from '../../lib/operations/remove-model.ts';
import { defineSpec } from '../../lib/spec/spec.ts';
import { prepareWhole } from '../support/prepare-whole.ts';
import { readWholeShard } from '../support/whole-shard.ts';
import {
  createWorld,
  deliver,
  message,
  modelOf,
  sampleMessages,
  ticket,
  ticketsSpec,
  type World,
} from '../support/world.ts';

// Chunks of two rows, shards of five: places to break off are many.
vi.mock('../../lib/limits.ts', async (original) => {
  const { limits, ...others } = await original<typeof import('../../lib/limits.ts')>();
  const small = { chunkRows: 2, shardRows: 5, shardsPerKeep: 2, heldOutRows: 9 };
  return { ...others, limits: { ...limits, ...small } };
});

/** All that a row can depend on of the rows before it. */
const spec = defineSpec({
  ...ticketsSpec,
  features: {
    urgency: { type: 'number', missing: 'mean', halfLife: 8 },
    team: { type: 'category', values: ['red', 'blue'], dimensions: 2 },
    grown: {
      type: 'category',
      vocabulary: { size: 1, admitAfter: 2, expireAfter: 3 },
      column: 'urgency',
      missing: 'none',
    },
    before: { type: 'lag', steps: [2, 1], by: ['team'], buckets: 8 },
    late: { type: 'targetMean', of: ['team'], halfLife: 5 },
  },
  batch: { validation: 0.2, refusedShare: 0.5 },
});

const rows = Array.from({ length: 40 }, (_, i) => ({
  urgency: i % 6 === 0 ? '' : String((i * 7) % 11),
  team: i % 7 === 3 ? 'green' : i % 2 === 0 ? 'red' : 'blue',
  label: i % 9 === 4 ? 'perhaps' : String((i * 7) % 11 > 4),
}));
const table = (some: typeof rows) =>
  ['urgency,team,label', ...some.map((row) => Object.values(row).join(','))].join('\n');
const lines = (some: typeof rows) => some.map((row) => JSON.stringify(row)).join('\n');
const files: Readonly<Record<string, Buffer>> = {
  'a.csv': Buffer.from(`${table(rows.slice(0, 15))}\n1,2,3,4,5\n`),
  'aa.csv.gz': gzipSync(''),
  'ab.csv': Buffer.from('\n'),
  'b.jsonl': Buffer.from(`{"x":\n${lines(rows.slice(15, 26))}`),
  'c.csv.gz': gzipSync(table(rows.slice(26))),
};

async function worldWithFiles() {
  const world = createWorld(spec);
  for (const [name, body] of Object.entries(files))
    await world.store.put(keys.dataset('past') + name, body);
  const listed = await world.store.list(keys.dataset('past'));
  const objects = listed.map(({ key, etag, sizeBytes }) => ({ key, etag, sizeBytes }));
  return { world, record: recordOf(objects, 0) };
}

function recordOf(objects: JobRecord['objects'], sequence: number): JobRecord {
  const dataset = objects.length > 0 ? 'past' : 'journal';
  const common = { job: 'j', model: spec.model, spec: '', start: 'fresh' as const, time: '' };
  return { ...common, dataset, objects, sequence };
}

async function prepare(world: World, record: JobRecord, options: PrepareOptions = {}) {
  const model = await modelOf(world);
  return prepareDataset(world, model, await sourceOf(world, model, record), options);
}

/** What is prepared, by its digests; what is kept on the way is of no account any more. */
function preparedIn({ store }: World) {
  return [...store.objects]
    .filter(([key]) => key.startsWith('prepared/') && !key.endsWith(unfinishedFile))
    .map(([key, { body }]) => `${key} ${digestOf(body)}`)
    .sort();
}

const unfinishedFile = 'unfinished.safetensors';

describe('a dataset that is prepared in slices', () => {
  it('has the same bytes wherever it is broken off, and whoever dies', async () => {
    const undisturbed = await worldWithFiles();
    expect(await prepare(undisturbed.world, undisturbed.record)).toMatchObject({
      isDone: true,
      prepared: { shardRows: expect.arrayContaining([5]), refusedRows: expect.any(Number) },
    });
    const expected = preparedIn(undisturbed.world);
    expect(expected.length).toBeGreaterThan(6);
    const breaks = fc.array(fc.boolean(), { minLength: 1, maxLength: 9 });
    const crashes = fc.uniqueArray(fc.nat(90), { maxLength: 5 });
    await fc.assert(
      fc.asyncProperty(breaks, crashes, async (isUp, crashAt) => {
        const { world, record } = await worldWithFiles();
        let [asked, calls] = [0, 0];
        const isTimeUp = () => isUp[asked++ % isUp.length] ?? false;
        world.store.hook = () => {
          if (crashAt.includes(calls++)) throw new Error('the machine is gone');
        };
        for (let isDone = false, runs = 0; !isDone; runs++) {
          expect(runs).toBeLessThan(60);
          const outcome = prepare(world, record, { isTimeUp });
          ({ isDone } = await outcome.catch((error: unknown) => {
            if (isOfKind(error, 'invalid')) throw error;
            return { isDone: false };
          }));
        }
        expect(preparedIn(world)).toEqual(expected);
      }),
      { numRuns: 150 },
    );
  });

  it('is prepared from the beginning where what was kept of it is damaged', async () => {
    const undisturbed = await worldWithFiles();
    await prepare(undisturbed.world, undisturbed.record);
    const { world, record } = await worldWithFiles();
    expect((await prepare(world, record, { isTimeUp: () => true })).isDone).toBe(false);
    const [kept] = [...world.store.objects.keys()].filter((key) => key.endsWith(unfinishedFile));
    const body = Buffer.from((await world.store.get(kept ?? ''))?.body ?? '');
    body.writeUInt8(body.readUInt8(body.length - 3) ^ 1, body.length - 3);
    await world.store.put(kept ?? '', body);
    await prepare(world, record);
    expect(preparedIn(world)).toEqual(preparedIn(undisturbed.world));
  });

  it.each([0.1, 0.4, 0.9])(
    'leaves a packed part for which %d of the time is left to the next',
    async (share) => {
      const worldOf = async () => {
        const world = createWorld(ticketsSpec, { partBytes: 20 });
        for (const name of ['a', 'b', 'c', 'd'])
          await world.store.put(
            `${keys.dataset('past')}${name}.jsonl.gz`,
            gzipSync(
              Array.from({ length: 12 }, (_, i) => ticket(i))
                .map(({ features, label }) => JSON.stringify({ ...features, label }))
                .join('\n'),
            ),
          );
        const listed = await world.store.list(keys.dataset('past'));
        return { world, record: recordOf([...listed], 0) };
      };
      const undisturbed = await worldOf();
      let questions = 0;
      const count = () => ++questions < 0;
      await prepare(undisturbed.world, undisturbed.record, { mustStop: count });
      const most = (1 + share) * Math.ceil(questions / 4);
      const { world, record } = await worldOf();
      let invocations = 0;
      for (let isDone = false; !isDone; invocations++) {
        expect(invocations).toBeLessThan(9);
        let asked = 0;
        const mustStop = () => ++asked > most;
        ({ isDone } = await prepare(world, record, { mustStop, isTimeUp: () => asked > most }));
      }
      expect(invocations).toBeGreaterThan(1);
      expect(preparedIn(world)).toEqual(preparedIn(undisturbed.world));
    },
  );

  it('says so where one invocation has time for no row', async () => {
    const { world, record } = await worldWithFiles();
    const model = await modelOf(world);
    const source = {
      ...(await sourceOf(world, model, record)),
      async *samples() {
        yield { samples: [] };
      },
    };
    const prepared = prepareDataset(world, model, source, { mustStop: () => true });
    await expect(prepared).rejects.toThrow('one invocation had time for no row of it');
  });
});

describe('a journal that is prepared again as it grows', () => {
  const batch = (from: number) =>
    sampleMessages(6).map(({ body }, i) => message(from + i, body as string));

  async function readAll(world: World, sequence: number) {
    const model = await modelOf(world);
    const source = await sourceOf(world, model, recordOf([], sequence));
    const prepared = await prepareWhole(world, model, source);
    const shards = prepared.shardRows.map((_, shard) =>
      readWholeShard(world.store, prepared, shard),
    );
    const { hash: _, base, ...rest } = prepared;
    return {
      base,
      rest,
      shards: await Promise.all(shards),
      out: await readHeldOut(world.store, prepared),
    };
  }

  it('reads only what is new, and has the same rows as if it were read whole', async () => {
    const world = createWorld(spec);
    const others: World[] = [];
    let [entriesRead, readAtFirst] = [0, 0];
    for (const times of [1, 2, 3]) {
      for (const each of batch(times * 10)) await deliver(world, [each]);
      const other = createWorld(spec);
      for (const [key, { body }] of world.store.objects)
        if (!key.startsWith('prepared/')) await other.store.put(key, body);
      others.push(other);
      entriesRead = 0;
      world.store.hook = ({ operation, key, when }) => {
        if (operation === 'get' && when === 'before' && key.includes('/journal/')) entriesRead += 1;
      };
      const grown = await readAll(world, 6 * times);
      if (times === 1) readAtFirst = entriesRead;
      else expect(entriesRead).toBeLessThanOrEqual(readAtFirst);
      const { base, ...whole } = await readAll(other, 6 * times);
      expect(base?.shards).toBe(grown.base?.shards);
      expect(grown).toEqual({ base: grown.base, ...whole });
    }
    expect(others).toHaveLength(3);
  });

  it('ends for each of two jobs, which began at different entries and take turns', async () => {
    const world = createWorld(spec);
    for (const each of batch(1)) await deliver(world, [each]);
    const expected = await readAll(world, 3);
    const records = [recordOf([], 3), recordOf([], 6)];
    for (const [key] of world.store.objects)
      if (key.startsWith('prepared/')) world.store.remove(key);
    const done = new Set<JobRecord>();
    for (let turns = 0; done.size < 2; turns++) {
      expect(turns).toBeLessThan(40);
      for (const record of records)
        if ((await prepare(world, record, { isTimeUp: () => true })).isDone) done.add(record);
    }
    const { rest, shards, out } = await readAll(world, 3);
    expect({ rest, shards, out }).toEqual({
      rest: expected.rest,
      shards: expected.shards,
      out: expected.out,
    });
  });

  it('is removed with its model, half prepared', async () => {
    const world = createWorld(spec);
    for (const each of batch(1)) await deliver(world, [each]);
    const record = recordOf([], 6);
    await world.store.put(keys.job(spec.model, 'j'), Buffer.from(JSON.stringify(record)));
    expect((await prepare(world, record, { isTimeUp: () => true })).isDone).toBe(false);
    expect(await world.store.list('prepared/')).not.toEqual([]);
    await removeModel(world, async (key) => world.store.remove(key), spec.model);
    expect(await world.store.list('prepared/')).toEqual([]);
  });
});
