import { describe, expect, it } from 'vitest';
import { keys } from '../../lib/bucket/keys.ts';
import { scratchStore } from '../../lib/bucket/scratch-store.ts';
import { prepareDataset } from '../../lib/datasets/prepare.ts';
import { readHeldOut } from '../../lib/datasets/shards.ts';
import { openJob } from '../../lib/jobs/record.ts';
import { sourceOf } from '../../lib/jobs/source.ts';
import { crossValidate } from '../../lib/operations/cross-validate.ts';
import { defineSpec, type SpecInput } from '../../lib/spec/spec.ts';
import { runJob, start, worldWithDataset } from '../support/jobs.ts';
import { memoryStore } from '../support/memory-store.ts';
import { readWholeShard } from '../support/whole-shard.ts';
import { deliver, message, modelOf, ticket, ticketsSpec } from '../support/world.ts';

const { model } = ticketsSpec;

/** A spec that holds out one of five folds. */
const heldOut = (fold: number): SpecInput => ({
  ...ticketsSpec,
  batch: { ...ticketsSpec.batch, validation: { folds: 5, fold } },
});

/** How often each row of a dataset of numbered rows is trained on, and held out, of five folds. */
async function rowsOfFolds() {
  const counts = { train: new Map<number, number>(), heldOut: new Map<number, number>() };
  const add = (to: Map<number, number>, raw: Iterable<number>) => {
    for (const row of raw) to.set(row, (to.get(row) ?? 0) + 1);
  };
  for (let fold = 0; fold < 5; fold++) {
    const spec: SpecInput = { ...heldOut(fold), features: { urgency: { type: 'number' } } };
    const world = await worldWithDataset(spec, 0);
    const rows = Array.from({ length: 500 }, (_, urgency) => ({ urgency, label: urgency % 3 > 0 }));
    const text = rows.map((row) => JSON.stringify(row)).join('\n');
    await world.store.put(`${keys.dataset('past')}rows.jsonl`, Buffer.from(text));
    const own = await modelOf(world);
    const current = async () => ({ ...own, sequence: 0 });
    const opened = await openJob(world, start, current);
    if (!opened.ok) throw new Error(opened.reason);
    const preparing = await prepareDataset(world, own, await sourceOf(world, own, opened.record));
    if (!preparing.isDone) throw new Error('it is not prepared');
    const { prepared } = preparing;
    for (let shard = 0; shard < prepared.shardRows.length; shard++)
      add(counts.train, (await readWholeShard(world.store, prepared, shard)).raw);
    add(counts.heldOut, (await readHeldOut(world.store, prepared)).raw);
  }
  return counts;
}

describe('folds of a dataset', () => {
  it('hold out each row once, and train on it in all others', async () => {
    const { train, heldOut: out } = await rowsOfFolds();
    const rows = Array.from({ length: 500 }, (_, row) => row);
    expect(rows.map((row) => out.get(row))).toEqual(rows.map(() => 1));
    expect(rows.map((row) => train.get(row))).toEqual(rows.map(() => 4));
  });

  it('are refused where there is no such fold', async () => {
    await expect(worldWithDataset(heldOut(5))).rejects.toThrow(/fold: must be less than folds/);
  });
});

describe('a cross-validation', () => {
  it('comes to what jobs do that hold out one fold after the other', async () => {
    const world = await worldWithDataset(ticketsSpec, 200);
    const { folds, figures } = await crossValidate(world, model, { dataset: 'past', folds: 5 });
    expect(folds).toHaveLength(5);
    const losses: number[] = [];
    for (const [fold, { rows, heldOutRows, heldOut: own, baseline }] of folds.entries()) {
      const other = await worldWithDataset(heldOut(fold), 200);
      const { place } = await runJob(other, { ...start, start: 'fresh' });
      expect(own).toEqual(place?.comparison?.heldOut?.figures?.challenger);
      expect(baseline).toBe(place?.comparison?.heldOut?.baseline);
      expect([rows, heldOutRows]).toEqual([160, 40]);
      losses.push(own.loss);
    }
    const mean = losses.reduce((sum, loss) => sum + loss, 0) / 5;
    const variance = losses.reduce((sum, loss) => sum + (loss - mean) ** 2, 0) / 4;
    expect(figures.loss?.mean).toBeCloseTo(mean, 12);
    expect(figures.loss?.deviation).toBeCloseTo(Math.sqrt(variance), 12);
    expect(new Set(losses).size).toBe(5);
    expect(figures).toMatchObject({ accuracy: {}, areaUnderCurve: {} });
  });

  it('keeps the rules of the release that stored the spec', async () => {
    const { revision: _, cells: __, ...old } = defineSpec(ticketsSpec);
    const stored = { ...old, label: { name: 'label', standardize: undefined } };
    const lossOf = async (spec: object) => {
      const world = await worldWithDataset();
      await world.store.put(keys.spec(model), Buffer.from(JSON.stringify(spec)));
      return (await crossValidate(world, model, { dataset: 'past', folds: 2 })).folds[0]?.heldOut
        .loss;
    };
    const other = await worldWithDataset();
    const validation = { folds: 2, fold: 0 };
    const own = { ...stored, batch: { ...old.batch, validation } };
    await other.store.put(keys.spec(model), Buffer.from(JSON.stringify(own)));
    const { place } = await runJob(other, { ...start, start: 'fresh' });
    expect(await lossOf(stored)).toBe(place?.comparison?.heldOut?.challenger);
    expect(await lossOf(defineSpec(ticketsSpec))).not.toBe(place?.comparison?.heldOut?.challenger);
  });

  it('changes nothing, whatever the model has learnt', async () => {
    const world = await worldWithDataset();
    await deliver(world, [message(1, { samples: [ticket(1), ticket(2)] })]);
    const before = [...world.store.objects].map(([key, { etag }]) => [key, etag]);
    const told: number[] = [];
    const spec: SpecInput = { ...ticketsSpec, seed: 9, batch: { epochs: 1, validation: 0 } };
    const onFold = (_: unknown, done: number) => told.push(done);
    await crossValidate(world, model, { dataset: 'past', folds: 2, spec, onFold });
    expect(told).toEqual([1, 2]);
    expect([...world.store.objects].map(([key, { etag }]) => [key, etag])).toEqual(before);
    expect(world.sentJobs.length + world.sentSamples.length).toBe(0);
  });

  it.each<[string, object, RegExp]>([
    ['the journal', { dataset: 'journal', folds: 5 }, /backtest/],
    [
      'no dataset',
      { dataset: 'nothing', folds: 5 },
      /^there is no dataset nothing; there are past/,
    ],
    ['one fold', { dataset: 'past', folds: 1 }, /folds: must be an integer from 2 to 100/],
    [
      'a fold without a row',
      { dataset: 'past', folds: 100 },
      /^fold-\d+: no row that can be learnt is in it; ask for fewer folds/,
    ],
  ])('is refused for %s', async (_, options, reason) => {
    const world = await worldWithDataset();
    const validation = options as Parameters<typeof crossValidate>[2];
    await expect(crossValidate(world, model, validation)).rejects.toThrow(reason);
  });
});

describe('a scratch store', () => {
  it('reads below what is shown, and writes nothing there', async () => {
    const below = memoryStore({ 'a/1': 'one', 'a/2': 'two', 'b/1': 'hidden' });
    const store = scratchStore(below, (key) => key.startsWith('a/'));
    const text = async (key: string) => {
      const object = await store.get(key);
      return object && Buffer.from(object.body).toString();
    };
    expect([await text('a/1'), await text('b/1')]).toEqual(['one', undefined]);
    const once = { ifNoneMatch: '*' } as const;
    expect(await store.put('a/1', Buffer.from('x'), once)).toMatchObject({ code: 'precondition' });
    expect(await store.put('b/1', Buffer.from('own'), once)).toMatchObject({ ok: true });
    const etag = (await store.get('a/2'))?.etag ?? '';
    expect(await store.put('a/2', Buffer.from('mine'), { ifMatch: etag })).toMatchObject({
      ok: true,
    });
    expect(await store.put('a/2', Buffer.from('late'), { ifMatch: etag })).toMatchObject({
      ok: false,
    });
    expect([await text('a/2'), await text('b/1')]).toEqual(['mine', 'own']);
    expect((await store.list('')).map(({ key }) => key)).toEqual(['a/1', 'a/2', 'b/1']);
    expect(await store.folders('')).toEqual(['a', 'b']);
    const { etag: now = '' } = (await store.get('a/2')) ?? {};
    const part = await store.get('a/2', { start: 1, end: 3, etag: now });
    expect(Buffer.from(part?.body ?? []).toString()).toBe('in');
    expect(await store.get('a/2', { start: 1, end: 3, etag })).toBeUndefined();
    expect(await store.getChanged('a/2', now)).toBe('unchanged');
    const texts = [...below.objects].map(([, { body }]) => Buffer.from(body).toString());
    expect(texts).toEqual(['one', 'two', 'hidden']);
  });
});
