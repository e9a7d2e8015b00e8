import { describe, expect, it } from 'vitest';
import { keys } from '../../lib/bucket/keys.ts';
import { readLane } from '../../lib/jobs/lane.ts';
import type { SpecInput } from '../../lib/spec/spec.ts';
import { decodeParameters, encodeParameters } from '../../lib/state/checkpoint-file.ts';
import { runJob, start } from '../support/jobs.ts';
import { createWorld, modelOf, ticketsSpec, type World } from '../support/world.ts';

const { model } = ticketsSpec;

async function worldWith(csv: string, change: Partial<SpecInput> = {}): Promise<World> {
  const world = createWorld({
    model,
    task: 'regression',
    features: { a: { type: 'number' } },
    label: { name: 'y', standardize: false },
    optimizer: { type: 'sgd', rate: 1e-9 },
    batch: { epochs: 4, slice: { epochs: 1 } },
    ...change,
  });
  await world.store.put(`${keys.dataset('past')}rows.csv`, Buffer.from(csv));
  return world;
}

const table = (label: (i: number) => string, weight = '1') =>
  ['a,y,weight', ...Array.from({ length: 60 }, (_, i) => `${i},${label(i)},${weight}`)].join('\n');

describe('a batch job whose numbers do not stay finite', () => {
  it.each([
    { name: 'labels', csv: table((i) => `${i + 1}e20`), reason: /loss.* finite in epoch 1/ },
    {
      name: 'weights that are 0 in float32',
      csv: table(String, '1e-60'),
      reason: /no row that can be learnt .*weight: must be a number above 0/,
    },
  ])('ends as failed, with the reason: $name', async ({ csv, reason }) => {
    for (const clip of [undefined, { value: 1 }]) {
      const world = await worldWith(csv, clip === undefined ? {} : { clip });
      const { place } = await runJob(world, start);
      expect(place?.status).toBe('failed');
      expect(place?.reason).toMatch(reason);
      const progress = await world.store.get(keys.progress(model, start.job));
      expect(JSON.parse(Buffer.from(progress?.body ?? '').toString())).toMatchObject({
        status: 'failed',
        reason: place?.reason,
      });
      expect((await readLane(world, await modelOf(world), start))?.lane.place.status).toBe(
        'failed',
      );
    }
  });

  it('goes on from a lane in which release 0.1.0 had written null', async () => {
    const world = await worldWith(table(String));
    await runJob(world, { ...start, slice: 0 });
    const lane = await world.store.get(keys.lane(model, start.job));
    const { parameters, extra } = decodeParameters(lane?.body ?? new Uint8Array());
    const place = { ...JSON.parse(extra.place ?? ''), status: 'training', epochLosses: [null] };
    const nulled = { ...place, lossSum: null, epoch: 1, slice: 1 };
    const body = encodeParameters(parameters, { place: JSON.stringify(nulled) });
    await world.store.put(keys.lane(model, start.job), body);
    world.store.remove(keys.progress(model, start.job));
    const { place: last } = await runJob(world, { ...start, slice: 1 });
    expect(['failed', 'kept-champion', 'promotion-sent']).toContain(last?.status);
  });
});
