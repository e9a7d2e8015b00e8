import { describe, expect, it } from 'vitest';
import { keys } from '../../lib/bucket/keys.ts';
import { artifactName } from '../../lib/engine/onnx/artifact.ts';
import { createEncoder } from '../../lib/features/encoder.ts';
import { readLane } from '../../lib/jobs/lane.ts';
import { readProgress } from '../../lib/jobs/progress.ts';
import { graphCache } from '../../lib/ports/graph-cache.ts';
import { defineSpec } from '../../lib/spec/spec.ts';
import { runJob, start, worldWithDataset } from '../support/jobs.ts';
import { prepareWhole } from '../support/prepare-whole.ts';
import { readWholeShard } from '../support/whole-shard.ts';
import { createWorld, modelOf, ticketsSpec, type World } from '../support/world.ts';

const { model } = ticketsSpec;
const oneEpoch = { ...ticketsSpec, batch: { ...ticketsSpec.batch, slice: { epochs: 1 } } };

const damages: Record<string, (body: Uint8Array) => Uint8Array | undefined> = {
  gone: () => undefined,
  'cut off': (body) => body.subarray(0, body.length / 2),
  'one bit flipped': (body) => body.map((byte, i) => (i === body.length - 3 ? byte ^ 1 : byte)),
};

async function damageBelow(world: World, prefix: string, ending: string, how: string) {
  const found = (await world.store.list(prefix)).filter(({ key }) => key.endsWith(ending));
  expect(found.length).toBeGreaterThan(0);
  for (const { key } of found) {
    const damaged = damages[how]?.((await world.store.get(key))?.body ?? new Uint8Array());
    if (damaged === undefined) world.store.remove(key);
    else await world.store.put(key, damaged);
  }
}

async function laneOf(world: World) {
  return (await readLane(world, await modelOf(world), start))?.lane;
}

describe('a prepared dataset', () => {
  const files = ['shard-00000.safetensors', 'held-out.safetensors', 'manifest.safetensors'];
  it.each(files.flatMap((file) => Object.keys(damages).map((how) => ({ file, how }))))(
    'whose $file is $how is prepared again, and the job ends in the same bits',
    async ({ file, how }) => {
      const undisturbed = await worldWithDataset(oneEpoch);
      await runJob(undisturbed);
      const world = await worldWithDataset(oneEpoch);
      const { runSlice } = await import('../../lib/jobs/slice.ts');
      await runSlice(world, start, () => 100);
      await damageBelow(world, 'prepared/', file, how);
      await runJob(world, { ...start, slice: 1 });
      expect(await laneOf(world)).toEqual(await laneOf(undisturbed));
    },
  );

  it.each([['seed'], ['label'], ['batch'], ['batch', 'validation']])(
    'is prepared for a stored spec that leaves out %s %s',
    async (...path) => {
      const world = await worldWithDataset(oneEpoch);
      const stored = JSON.parse(JSON.stringify(defineSpec(oneEpoch)));
      const [first = '', second] = path;
      if (second === undefined) delete stored[first];
      else delete stored[first][second];
      await world.store.put(keys.spec(model), Buffer.from(JSON.stringify(stored)));
      await runJob(world);
      expect((await laneOf(world))?.place.status).not.toBe('failed');
      expect(await laneOf(world)).toBeDefined();
    },
  );

  it('is not shared by specs whose features stand in different orders', async () => {
    const world = createWorld();
    const number = { type: 'number' as const };
    const team = { type: 'category' as const, values: ['red', 'blue'] };
    const features = [
      { urgency: number, team, size: number },
      { size: number, team, urgency: number },
    ];
    const rows = [{ features: { urgency: 3, size: 5, team: 'red' }, label: true }];
    const numbers: number[][] = [];
    for (const each of features) {
      const spec = defineSpec({ ...ticketsSpec, features: each, batch: { validation: 0 } });
      const declared = { spec, stored: spec, encoder: createEncoder(spec) };
      const source = {
        identity: 'rows',
        async *samples() {
          yield { samples: rows };
        },
      };
      const prepared = await prepareWhole(world, declared, source);
      numbers.push([...(await readWholeShard(world.store, prepared, 0)).raw]);
    }
    expect(numbers).toEqual([
      [3, 5],
      [5, 3],
    ]);
    const [a, b] = features.map((each) => defineSpec({ ...ticketsSpec, features: each }));
    if (a === undefined || b === undefined) throw new Error('there are two');
    expect(artifactName(a, 'model')).not.toBe(artifactName(b, 'model'));
  });
});

describe('a compiled model', () => {
  it.each(Object.keys(damages))(
    'that is %s is compiled again, with a line in the log',
    async (how) => {
      const world = createWorld();
      const warnings: string[] = [];
      const log = { ...world.log, warn: (line: string) => void warnings.push(line) };
      const cache = graphCache(world.store, log);
      const name = 'a'.repeat(64);
      await cache.put(name, Buffer.from('a graph of some operators'));
      expect(Buffer.from((await cache.get(name)) ?? '').toString()).toBe(
        'a graph of some operators',
      );
      await damageBelow(world, 'compiled/', name, how);
      expect(await cache.get(name)).toBeUndefined();
      expect(warnings).toHaveLength(how === 'gone' ? 0 : 1);
    },
  );
});

describe('a finished job', () => {
  it.each(['cut off', 'one bit flipped'])(
    'ends as failed, with the reason, where its own weights are %s',
    async (how) => {
      const world = await worldWithDataset(oneEpoch);
      const { settleJob } = await import('../../lib/jobs/settle-job.ts');
      const slice = (number: number) =>
        settleJob(world, { id: 'x', body: JSON.stringify({ ...start, slice: number }) }, () => 100);
      await slice(0);
      await damageBelow(world, keys.jobs(model), 'lane.safetensors', how);
      expect(await slice(1)).toMatchObject({ ok: true, place: { status: 'failed' } });
      const progress = await readProgress(world.store, model, start.job);
      expect(progress).toMatchObject({ status: 'failed' });
      expect(progress?.reason).toMatch(/cannot be read.*; start another job$/);
    },
  );

  it('keeps its progress when its id comes again with other settings', async () => {
    const world = await worldWithDataset(oneEpoch);
    await runJob(world);
    const progress = async () => (await world.store.get(keys.progress(model, start.job)))?.body;
    const before = await progress();
    for (const change of [
      { dataset: 'journal' },
      { dataset: 'missing' },
      { start: 'fresh' } as const,
    ]) {
      const { place } = await runJob(world, { ...start, ...change });
      expect(place?.reason).toMatch(/exists with dataset past and start champion/);
      expect(await progress()).toEqual(before);
    }
  });
});

describe('a progress.json', () => {
  it.each(['', '{', '[]', 'null', '{"slice":"two"}'])(
    'that holds %j does not stop its job, and is written again',
    async (damaged) => {
      const undisturbed = await worldWithDataset(oneEpoch);
      await runJob(undisturbed);
      const world = await worldWithDataset(oneEpoch);
      const key = keys.progress(model, start.job);
      await world.store.put(key, Buffer.from(damaged));
      await runJob(world);
      expect(await laneOf(world)).toEqual(await laneOf(undisturbed));
      expect((await world.store.get(key))?.body).toEqual((await undisturbed.store.get(key))?.body);
    },
  );
});
