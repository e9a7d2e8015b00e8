import { describe, expect, it } from 'vitest';
import { keys } from '../../lib/bucket/keys.ts';
import { bytesInMemory } from '../../lib/datasets/byte-source.ts';
import { readProgress } from '../../lib/jobs/progress.ts';
import { type OutcomesOverTime, rivals } from '../../lib/metrics/outcomes.ts';
import { evaluateFile } from '../../lib/operations/evaluate-file.ts';
import { retryQuarantine } from '../../lib/operations/retry.ts';
import { openModel } from '../../lib/serving/open-model.ts';
import { defineSpec, type SpecInput } from '../../lib/spec/spec.ts';
import { promote, runJob, start } from '../support/jobs.ts';
import {
  createWorld,
  deliver,
  foldJournal,
  message,
  modelOf,
  ticketsSpec,
  type World,
} from '../support/world.ts';

const { model } = ticketsSpec;
const of = (label: SpecInput['label'], more: Partial<SpecInput> = {}): SpecInput => ({
  model,
  task: 'multiclass',
  features: { x: { type: 'number' } },
  label,
  batch: { epochs: 8, validation: 0.3 },
  ...more,
});
const xOf = (name: string) => name.charCodeAt(0) % 7;
const sample = (label: string) => ({ features: { x: xOf(label) }, label });

async function worldWith(spec: SpecInput, names: readonly string[]): Promise<World> {
  const world = createWorld(spec);
  const lines = names.map((label) => JSON.stringify({ x: xOf(label), label }));
  await world.store.put(`${keys.dataset('past')}rows.jsonl`, Buffer.from(lines.join('\n')));
  return world;
}
const send = (world: World, number: number, names: string) =>
  deliver(world, [message(number, { samples: [...names].map(sample) })]);
const repeated = (names: string, times: number) =>
  Array.from({ length: times }, () => [...names]).flat();

describe('a job with classes that nobody declared', () => {
  it('is no better for what it cannot name: no class counts as another', async () => {
    const world = await worldWith(of({ maxClasses: 2 }), repeated('cd', 50));
    await send(world, 1, 'abbbbbbbbbbbbbbb');
    const { place } = await runJob(world, { ...start, start: 'fresh' });
    expect(place?.status).toBe('failed');
    const progress = await readProgress(world.store, model, 'first');
    expect(progress?.reason).toContain('there is no place for class c, d: there would be 4');
  });

  it('keeps the places of the stream, also where it begins anew', async () => {
    const world = await worldWith(of({ maxClasses: 4 }), repeated('dcab', 40));
    await send(world, 1, 'ab');
    const { place } = await runJob(world, { ...start, start: 'fresh' });
    expect(place?.status).toBe('promotion-sent');
    await promote(world);
    const { statistics } = await foldJournal(world);
    expect(statistics.classNames).toEqual(['a', 'b', 'd', 'c']);
  });

  it('is not promoted over a class that came meanwhile, and finds no place', async () => {
    const world = await worldWith(of({ maxClasses: 3 }), repeated('dab', 40));
    await send(world, 1, 'ab');
    const { place } = await runJob(world, start);
    expect(place?.status).toBe('promotion-sent');
    await send(world, 2, 'c');
    await promote(world);
    const state = await foldJournal(world);
    expect(state.promoted).toBeUndefined();
    expect(state.statistics.classNames).toEqual(['a', 'b', 'c']);
    expect(await readProgress(world.store, model, 'first')).toMatchObject({
      status: 'kept-champion',
      reason: expect.stringContaining('has no place for class "c", which came on the stream'),
    });
  });

  it('knows declared ones as their cells are read', async () => {
    const spec = of({ classes: ['TRUE', ' b '], maxClasses: 4 });
    const world = createWorld(spec);
    const lines = Array.from({ length: 91 }, (_, i) =>
      JSON.stringify({ x: i % 2, label: i === 90 ? null : i % 2 === 0 ? true : 'b' }),
    );
    await world.store.put(`${keys.dataset('past')}rows.jsonl`, Buffer.from(lines.join('\n')));
    expect((await runJob(world, start)).place?.status).toBe('promotion-sent');
  });
});

describe('classes that nobody declared', () => {
  it('can begin with predictions whose labels come later', async () => {
    const world = createWorld(of({ maxClasses: 5 }));
    const { predict } = await openModel(world, model);
    const asked = await predict([{ features: { x: 1 }, id: 'one' }]);
    expect(asked).toMatchObject({ predictions: [{ class: null, probabilities: {} }] });
    await deliver(world, [message(1, { labels: [{ id: 'one', label: 'a' }] })]);
    expect((await foldJournal(world)).statistics.classNames).toEqual(['a']);
  });

  it('lose their places with a rollback, and what was known of them alone', async () => {
    const world = createWorld(of({ maxClasses: 4 }));
    await send(world, 1, 'aa');
    await send(world, 2, 'bcb');
    await deliver(world, [message(3, { rollback: { to: 1 } })]);
    const { statistics, prior, lately, outcomes } = await foldJournal(world);
    expect(statistics.classNames).toEqual(['a']);
    expect(lately).not.toHaveProperty('label');
    expect([...(prior?.sums ?? [])]).toEqual([2, 0, 0, 0]);
    // What was taken for b, or b for what, is not known any more: a confusion begins anew.
    const sums = ({ soFar, lately: own }: OutcomesOverTime) => [...soFar.classes, ...own.classes];
    expect(new Set(outcomes && sums(outcomes))).toEqual(new Set([0]));
    for (const rival of rivals)
      expect(new Set(outcomes?.rivals && sums(outcomes.rivals[rival]))).toEqual(new Set([0]));
    // What comes then is counted.
    await send(world, 4, 'aaba');
    expect([...((await foldJournal(world)).outcomes?.soFar.classes ?? [])].slice(0, 2)).toEqual([
      3, 1,
    ]);
  });

  it('weigh alike in what the model and the labels alone have earned', async () => {
    const world = createWorld(of({ maxClasses: 4, classWeights: { a: 1, b: 10 } }));
    await send(world, 1, 'aaaa');
    await send(world, 2, 'b');
    const { scores, prior } = await foldJournal(world);
    expect([scores.weight, ...(prior?.sums ?? [])]).toEqual([14, 4, 10, 0, 0]);
  });

  it('are counted where a file has some that the model does not know', async () => {
    const world = createWorld(of({ maxClasses: 2 }));
    await send(world, 1, 'abbbab');
    const rows = [...'bbccccdd'].map((label) => JSON.stringify({ x: xOf('b'), label }));
    const bytes = bytesInMemory(Buffer.from(rows.join('\n')));
    const found = await evaluateFile(await modelOf(world), await foldJournal(world), {
      name: 'a.jsonl',
      bytes,
    });
    expect(found).toMatchObject({ samples: 8, unknownClasses: 6, accuracy: 2 / 8 });
    expect(found.loss).toBeGreaterThan(10);
  });

  it('may be words for what is missing, if they are declared', async () => {
    const world = createWorld(of({ classes: ['NA', 'x'], maxClasses: 3 }));
    const samples = ['NA', 'x', 'None'].map((label) => ({ features: { x: 1 }, label }));
    await deliver(world, [message(1, { samples })]);
    expect((await foldJournal(world)).learnt).toBe(2);
    const { refused } = (await modelOf(world)).encoder.encode([sample('None')]);
    expect(refused[0]?.reason).toBe(
      'missing (found "None"); a class of that name is declared in label.classes',
    );
  });

  it('are sent again once there is room, and not before', async () => {
    const world = createWorld(of({ maxClasses: 2 }));
    await send(world, 1, 'ab');
    await send(world, 2, 'cc');
    const retried = await retryQuarantine(world, model);
    expect(retried.sent).toBe(0);
    expect(world.sentSamples).toEqual([]);
  });

  it('are declared with what fits them', () => {
    expect(() => defineSpec(of({ maxClasses: 4, classWeights: { TRUE: 5 } }))).toThrow(
      'spec.label.classWeights: "TRUE" is no class: a label is "true" then',
    );
    const optimizer = { type: 'adam', rate: 0.01, weightDecay: 0.1 } as const;
    expect(() => defineSpec(of({ maxClasses: 4 }, { optimizer }))).toThrow(
      'spec.label.maxClasses: keeps classes that have not come away by what they begin with',
    );
  });
});
