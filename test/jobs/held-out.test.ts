import { describe, expect, it, vi } from 'vitest';
import { keys } from '../../lib/bucket/keys.ts';
import { readHeldOut } from '../../lib/datasets/shards.ts';
import type { JobRecord } from '../../lib/jobs/record.ts';
import { sourceOf } from '../../lib/jobs/source.ts';
import { checkDataset } from '../../lib/operations/check-dataset.ts';
import { defineSpec, parseSpec, type SpecInput } from '../../lib/spec/spec.ts';
import { prepareWhole } from '../support/prepare-whole.ts';
import { readWholeShard } from '../support/whole-shard.ts';
import { createWorld, deliver, message, modelOf, ticketsSpec } from '../support/world.ts';

vi.mock('../../lib/limits.ts', async (original) => {
  const { limits, ...others } = await original<typeof import('../../lib/limits.ts')>();
  return { ...others, limits: { ...limits, heldOutRows: 12 } };
});

type Validation = NonNullable<NonNullable<SpecInput['batch']>['validation']>;

const spec = (validation: Validation) => defineSpec({ ...ticketsSpec, batch: { validation } });

/** Forty days from the first of February on, a row each, whose number is its urgency. */
const days = Array.from({ length: 40 }, (_, i) =>
  new Date(Date.UTC(2026, 1, 1 + i)).toISOString().slice(0, 10),
);
const csvOf = (from: number, to: number) =>
  [
    'day,number,urgency,team,label',
    ...days.slice(from, to).map((day, i) => `${day},${from + i},${from + i},red,${i % 2}`),
  ].join('\n');

/** The numbers of the rows that are held out and learnt. */
async function split(
  validation: Validation,
  fill?: (world: ReturnType<typeof createWorld>) => Promise<void>,
) {
  const world = createWorld(spec(validation));
  const dataset = keys.dataset('past');
  if (fill === undefined) {
    await world.store.put(`${dataset}2026-02.csv`, Buffer.from(csvOf(0, 28)));
    await world.store.put(`${dataset}2026-03.csv`, Buffer.from(csvOf(28, 40)));
  } else await fill(world);
  const listed = fill === undefined ? await world.store.list(dataset) : [];
  const objects = listed.map(({ key, etag, sizeBytes }) => ({ key, etag, sizeBytes }));
  const record: JobRecord = {
    job: 'j',
    model: ticketsSpec.model,
    spec: '',
    start: 'fresh',
    time: '',
    dataset: fill === undefined ? 'past' : 'journal',
    objects,
    sequence: fill === undefined ? 0 : 40,
  };
  const model = await modelOf(world);
  const prepared = await prepareWhole(world, model, await sourceOf(world, model, record));
  const heldOut = await readHeldOut(world.store, prepared);
  const learnt: number[] = [];
  for (const [shard] of prepared.shardRows.entries())
    learnt.push(...(await readWholeShard(world.store, prepared, shard)).raw);
  return { heldOut: [...heldOut.raw], learnt };
}

const range = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => from + i);

describe('rows that are held out', () => {
  it.each<[string, Validation]>([
    ['a day', { column: 'day', from: '2026-03-01' }],
    ['a time of another zone', { column: 'day', from: '2026-02-28T20:00-04:00' }],
    ['a number', { column: 'number', from: 28 }],
    ['a number of a feature', { column: 'urgency', from: 27.5 }],
    ['a file', { files: '2026-03.csv' }],
    ['some files', { files: '*-03*' }],
  ])('are those from %s on', async (_, validation) => {
    const { heldOut, learnt } = await split(validation);
    expect(heldOut).toEqual(range(28, 40));
    expect(learnt).toEqual(range(0, 28));
  });

  it('are no more than are held at once, and what more there is is not learnt', async () => {
    const { heldOut, learnt } = await split({ column: 'number', from: 20 });
    expect(heldOut).toEqual(range(20, 32));
    expect(learnt).toEqual(range(0, 20));
  });

  it('are told by the features of a stream’s samples', async () => {
    const { heldOut, learnt } = await split({ column: 'urgency', from: 30 }, async (world) => {
      for (const i of range(0, 40)) {
        const samples = [{ features: { urgency: i, team: 'red' }, label: i % 2 === 0 }];
        await deliver(world, [message(i + 1, { samples })]);
      }
    });
    expect(heldOut).toEqual(range(30, 40));
    expect(learnt).toEqual(range(0, 30));
  });

  it.each<[Validation, string]>([
    [{ column: 'day', from: '2027-01-01' }, 'no row that can be learnt has such a cell'],
    [{ column: 'dya', from: '2026-03-01' }, 'no row that can be learnt has such a cell'],
    [{ column: 'team', from: 3 }, 'team: must be a finite number, since spec.batch.validation'],
    [{ files: 'march' }, 'no row that can be learnt is in such a file'],
    [{ column: 'number', from: 0 }, 'the dataset has no row that can be learnt'],
  ])('are missed where there is none, or nothing else: %j', async (validation, reason) => {
    await expect(split(validation)).rejects.toThrow(reason);
  });

  it('refuse what says neither, which may be of the days to come', async () => {
    const validation = { column: 'day', from: '2026-03-01' };
    const world = createWorld(spec(validation));
    const rows = csvOf(0, 40).replaceAll('2026-03-0', '1/3/0');
    await world.store.put(`${keys.dataset('past')}2026.csv`, Buffer.from(rows));
    const check = await checkDataset(world, spec(validation), { dataset: 'past' });
    expect(check.refusedRows).toBeGreaterThan(0);
    expect(check.refused[0]).toMatchObject({
      field: 'day',
      reason: expect.stringContaining('since spec.batch.validation holds out by it (found "1/3/0'),
    });
  });

  it('are missed before a job, by dataset check', async () => {
    const validation = { column: 'day', from: '2027-01-01' };
    const world = createWorld(spec(validation));
    await world.store.put(`${keys.dataset('past')}2026.csv`, Buffer.from(csvOf(0, 40)));
    const check = await checkDataset(world, spec(validation), { dataset: 'past' });
    expect(check.failure).toContain('no row that can be learnt has such a cell');
    const right = { column: 'day', from: '2026-03-01' };
    expect(await checkDataset(world, spec(right), { dataset: 'past' })).toMatchObject({
      rows: 40,
      files: 1,
    });
    expect((await checkDataset(world, spec(right), { dataset: 'past' })).failure).toBeUndefined();
  });

  it('are a share, a column or files', () => {
    const refused = (validation: unknown) => () =>
      parseSpec({ ...ticketsSpec, batch: { validation } });
    expect(refused(0.7)).toThrow('spec.batch.validation: must be at most 0.5 (found 0.7)');
    expect(refused({ column: 'day', from: 'March' })).toThrow('must be a number or a time');
    expect(refused({ colum: 'day', from: 1 })).toThrow('allowed: column, from');
  });
});
