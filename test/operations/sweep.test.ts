import { describe, expect, it } from 'vitest';
import { keys } from '../../lib/bucket/keys.ts';
import { gridOf } from '../../lib/operations/backtest.ts';
import {
  parseTrialRequest,
  runTrial,
  type Sweep,
  type SweepSettings,
  scoreOf,
  startSweep,
  sweepSoFar,
} from '../../lib/operations/sweep.ts';
import type { Ports } from '../../lib/ports/ports.ts';
import type { SpecInput } from '../../lib/spec/spec.ts';
import { runJob, start, worldWithDataset } from '../support/jobs.ts';
import { deliver, sampleMessages, ticketsSpec, type World } from '../support/world.ts';

const { model } = ticketsSpec;
const grid = gridOf(ticketsSpec, ['optimizer.rate=0.2,0.001', 'batch.epochs=2,6']);

/** Starts a sweep; the machine's requests are answered by hand. */
async function started(world: World, settings: Partial<SweepSettings> = {}): Promise<Sweep> {
  const inputs: string[] = [];
  const ports: Ports = { ...world, startTrials: async ({ input }) => void inputs.push(input) };
  const sweep = await startSweep(ports, model, { dataset: 'past', candidates: grid, ...settings });
  const { plan } = JSON.parse(inputs[0] ?? '');
  const items = JSON.parse(Buffer.from((await world.store.get(plan))?.body ?? []).toString());
  expect(items).toHaveLength(sweep.candidates.length);
  return sweep;
}

/** Trains a trial in invocations that have time for so many steps each. */
async function train(world: World, { run }: Sweep, trial: number, steps = 1_000_000) {
  const request = parseTrialRequest({ model, run, trial: { trial, dataset: 'past' } });
  let invocations = 0;
  for (let isDone = false; !isDone; invocations++) {
    let left = steps;
    ({ isDone } = await runTrial(world, request, () => (left-- > 0 ? 100 : 0)));
    if (invocations > 100) throw new Error('it makes no progress');
  }
  return invocations;
}

/** What a job by a spec says of the rows that it holds out, where nothing was learnt before. */
async function heldOutBy(spec: SpecInput) {
  const { place } = await runJob(await worldWithDataset(spec), { ...start, start: 'fresh' });
  return place?.comparison?.heldOut?.figures?.challenger;
}

describe('specs that are tried side by side', () => {
  it('come to what jobs by them come to, in whatever order, cut wherever, and twice', async () => {
    const world = await worldWithDataset();
    const sweep = await started(world);
    expect(sweep.candidates.map(({ name }) => name)).toEqual([
      'tickets as it is',
      ...grid.map(({ name }) => name),
    ]);
    expect(await train(world, sweep, 3, 7)).toBeGreaterThan(1);
    for (const trial of [5, 1, 4, 2, 2]) await train(world, sweep, trial);
    const { isOver, trials } = await sweepSoFar(world.store, sweep);
    expect(isOver).toBe(true);
    for (const [i, { spec }] of sweep.candidates.entries())
      expect(trials[i]).toMatchObject({ heldOut: await heldOutBy(spec) });
    expect(trials.map((trial) => trial && 'epochs' in trial && trial.epochs)).toEqual([
      4, 2, 6, 2, 6,
    ]);
  });

  it.each([
    ['rates', ticketsSpec, ['optimizer.rate=0.2,0.001'], 'loss'],
    ['words for what holds anyway', ticketsSpec, ['loss="crossEntropy"'], 'loss'],
    ['weights of 1', ticketsSpec, ['label.classWeights={"true":1}'], 'loss'],
    ['weights of classes', ticketsSpec, ['label.classWeights="balanced"'], 'balancedAccuracy'],
    ['losses', { ...ticketsSpec, task: 'regression' }, ['loss="huber"'], 'meanAbsoluteError'],
  ] as const)(
    'are ranked by what says the same of all: other %s',
    async (_, spec, axes, measure) => {
      const world = await worldWithDataset(spec);
      const sweep = await started(world, { candidates: gridOf(spec, axes) });
      expect(sweep.measure).toBe(measure);
    },
  );

  it('are the better the lower they score', () => {
    const outcome = (balancedAccuracy: number, loss: number) => ({
      rows: 1,
      epochs: 1,
      heldOut: { balancedAccuracy, loss },
    });
    const [good, bad] = [outcome(0.9, 0.5), outcome(0.5, 0.1)];
    expect(scoreOf(good, 'balancedAccuracy')).toBeLessThan(scoreOf(bad, 'balancedAccuracy'));
    expect(scoreOf(bad, 'loss')).toBeLessThan(scoreOf(good, 'loss'));
    for (const none of [undefined, { failure: 'it failed' }, good])
      expect(scoreOf(none, 'meanAbsoluteError')).toBe(Number.POSITIVE_INFINITY);
  });

  it('change nothing of the model, and share what they prepare', async () => {
    const world = await worldWithDataset();
    for (const each of sampleMessages(3)) await deliver(world, [each]);
    const own = () =>
      [...world.store.objects]
        .filter(([key]) => /^(models|datasets)\//.test(key))
        .map(([key, { etag }]) => [key, etag]);
    const before = own();
    const sweep = await started(world);
    for (const trial of [1, 2, 3]) await train(world, sweep, trial);
    expect(own()).toEqual(before);
    expect(world.sentJobs).toEqual([]);
    expect(world.sentSamples).toEqual([]);
    const manifests = [...world.store.objects.keys()].filter((key) =>
      key.endsWith('manifest.safetensors'),
    );
    expect(manifests).toEqual([expect.stringMatching(/^prepared\//)]);
  });

  it('say why one cannot be trained, and of which nothing is known', async () => {
    const world = await worldWithDataset();
    const missing = { type: 'number' } as const;
    const wrong = { ...ticketsSpec, features: { ...ticketsSpec.features, absent: missing } };
    const sweep = await started(world, { candidates: [{ name: 'wrong', spec: wrong }] });
    await train(world, sweep, 2);
    await runTrial(world, { model, run: sweep.run }, () => 100);
    const { isOver, trials } = await sweepSoFar(world.store, sweep);
    expect(isOver).toBe(true);
    expect(trials).toEqual([
      undefined,
      { failure: expect.stringMatching(/no row that can be learnt.*features\.absent: missing/) },
    ]);
  });

  it.each<[string, Partial<SweepSettings>]>([
    [
      'other: seed: must be 1, so that all hold out the same rows (found 7)',
      { candidates: [{ name: 'other', spec: { ...ticketsSpec, seed: 7 } }] },
    ],
    [
      'other: task: must be "binary", as the labels are',
      { candidates: [{ name: 'other', spec: { ...ticketsSpec, task: 'regression' } }] },
    ],
    [
      'other: batch.validation: must be 0.2',
      { candidates: [{ name: 'other', spec: { ...ticketsSpec, batch: { validation: 0.5 } } }] },
    ],
    ['the journal is no dataset here', { dataset: 'journal' }],
    ['there is no dataset none; there are past', { dataset: 'none' }],
    ['is not named "x"', { files: 'x' }],
  ])('are refused where %s', async (reason, settings) => {
    const world = await worldWithDataset();
    await expect(started(world, settings)).rejects.toThrow(reason);
    expect([...world.store.objects.keys()].filter((key) => key.startsWith('trials/'))).toEqual([]);
  });

  it('are refused where the stack cannot, and say where nothing was held out', async () => {
    const all: SpecInput = { ...ticketsSpec, batch: { epochs: 1, validation: 0 } };
    const world = await worldWithDataset(all);
    await expect(startSweep(world, model, { dataset: 'past', candidates: [] })).rejects.toThrow(
      'no state machine that tries specs',
    );
    const sweep = await started(world, { candidates: [] });
    await train(world, sweep, 1);
    const { trials } = await sweepSoFar(world.store, sweep);
    expect(trials).toEqual([{ failure: expect.stringContaining('no row was held out') }]);
    expect(world.store.objects.has(keys.spec(model))).toBe(true);
  });
});
