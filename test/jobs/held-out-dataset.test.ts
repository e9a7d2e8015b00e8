import { describe, expect, it } from 'vitest';
import { keys } from '../../lib/bucket/keys.ts';
import { prepareDataset } from '../../lib/datasets/prepare.ts';
import { readHeldOut } from '../../lib/datasets/shards.ts';
import { readJob } from '../../lib/jobs/record.ts';
import { sourceOf } from '../../lib/jobs/source.ts';
import { checkDataset } from '../../lib/operations/check-dataset.ts';
import type { SpecInput } from '../../lib/spec/spec.ts';
import { runJob, start } from '../support/jobs.ts';
import { readWholeShard } from '../support/whole-shard.ts';
import { createWorld, deliver, message, modelOf, ticket, ticketsSpec } from '../support/world.ts';

const spec: SpecInput = {
  ...ticketsSpec,
  features: { urgency: { type: 'number' } },
  batch: { validation: { dataset: 'later' } },
};

/** Rows whose urgency is their number. */
const rows = (from: number, to: number) =>
  Buffer.from(
    Array.from({ length: to - from }, (_, i) =>
      JSON.stringify({ urgency: from + i, label: ticket(i).label }),
    ).join('\n'),
  );

async function worldWith(datasets: Readonly<Record<string, readonly [number, number]>>) {
  const world = createWorld(spec);
  for (const [name, [from, to]] of Object.entries(datasets))
    await world.store.put(`${keys.dataset(name)}rows.jsonl`, rows(from, to));
  return world;
}

/** The reason for which a job over a dataset fails. */
async function failureOf(datasets: Parameters<typeof worldWith>[0], dataset = 'past') {
  const world = await worldWith(datasets);
  await deliver(world, [message(1, { samples: [{ features: { urgency: 1 }, label: true }] })]);
  const { place } = await runJob(world, { ...start, dataset });
  expect(place?.status).toBe('failed');
  return place?.reason;
}

describe('a dataset of its own that is held out', () => {
  it('is held out whole, and the other is learnt whole', async () => {
    const world = await worldWith({ past: [0, 60], later: [100, 130] });
    const { place } = await runJob(world);
    expect(place?.comparison?.heldOut?.figures?.challenger).toBeDefined();
    const model = await modelOf(world);
    const record = await readJob(world.store, spec.model, start.job);
    expect(record?.objects.map(({ key }) => key)).toEqual([
      'datasets/past/rows.jsonl',
      'datasets/later/rows.jsonl',
    ]);
    if (record === undefined) return;
    const preparing = await prepareDataset(world, model, await sourceOf(world, model, record));
    if (!preparing.isDone) throw new Error('it is not prepared');
    const { prepared } = preparing;
    const shards = await Promise.all(
      prepared.shardRows.map((_, shard) => readWholeShard(world.store, prepared, shard)),
    );
    const learnt = shards.flatMap(({ raw }) => [...raw]);
    expect(learnt.toSorted((a, b) => a - b)).toEqual(Array.from({ length: 60 }, (_, i) => i));
    const heldOut = await readHeldOut(world.store, prepared);
    expect([...heldOut.raw]).toEqual(Array.from({ length: 30 }, (_, i) => 100 + i));
    expect(await checkDataset(world, model.spec, { dataset: 'past' })).toMatchObject({
      files: 2,
      rows: 90,
    });
  });

  it('must be there, another one, and no journal is learnt beside it', async () => {
    expect(await failureOf({ past: [0, 9] })).toMatch(
      /^spec\.batch\.validation: dataset later: there is no object below/,
    );
    expect(await failureOf({ later: [0, 9] }, 'later')).toMatch(
      /is the one to learn; name another/,
    );
    expect(await failureOf({ later: [0, 9] }, 'journal')).toMatch(
      /of the journal hold out a share/,
    );
  });
});
