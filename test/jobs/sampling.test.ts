import fc from 'fast-check';
import { describe, expect, it, vi } from 'vitest';
import { keys } from '../../lib/bucket/keys.ts';
import { drawnRows } from '../../lib/jobs/epoch-order.ts';
import { readLane } from '../../lib/jobs/lane.ts';
import { readJob } from '../../lib/jobs/record.ts';
import { defineSpec, type SpecInput } from '../../lib/spec/spec.ts';
import { runJob, start } from '../support/jobs.ts';
import { createWorld, modelOf, ticketsSpec } from '../support/world.ts';

// Shards of fifty rows, a native call of one minibatch.
vi.mock('../../lib/limits.ts', async (original) => {
  const { limits: own, ...others } = await original<typeof import('../../lib/limits.ts')>();
  return {
    ...others,
    limits: { ...own, shardRows: 50, minibatchesPerCall: 1, callMilliseconds: 0 },
  };
});

const spec = (sampling?: 'balanced', epochs = 3): SpecInput => ({
  ...ticketsSpec,
  features: { x: { type: 'number' } },
  label: { classWeights: 'balanced' },
  network: { hidden: [] },
  optimizer: { type: 'sgd', rate: 0.1 },
  batch: { epochs, minibatch: 8, validation: 0.2, ...(sampling && { sampling }) },
});

/** A job over rows of which one in twenty is true, and x says which. */
async function jobOver(input: SpecInput, secondsLeft = () => 100) {
  const world = createWorld(input);
  const rows = Array.from({ length: 400 }, (_, i) => {
    const label = i % 20 === 0;
    return JSON.stringify({ x: ((i * 37) % 23) / 11 - 1 + 2 * Number(label), label });
  });
  await world.store.put(`${keys.dataset('past')}rows.jsonl`, Buffer.from(rows.join('\n')));
  const { place, slices } = await runJob(world, { ...start, start: 'fresh' }, secondsLeft);
  const record = await readJob(world.store, input.model, start.job);
  const stored = record && (await readLane(world, await modelOf(world), record));
  return { place, slices, tensors: stored?.lane.parameters.tensors };
}

describe('balancing by sampling', () => {
  it('takes each row as often as its class weighs, on average, and never twice less or more', () => {
    const weights = fc.array(fc.double({ min: 0, max: 9, noNaN: true }), {
      minLength: 3,
      maxLength: 3,
    });
    fc.assert(
      fc.property(weights, fc.nat(1_000), (own, epoch) => {
        const labels = Float32Array.from({ length: 3_000 }, (_, row) => row % 3);
        const rows = drawnRows(labels, Float64Array.from(own), [7, epoch, 0]);
        const times = new Int32Array(3_000);
        for (const row of rows) times[row] = (times[row] ?? 0) + 1;
        own.forEach((weight, of) => {
          const counts = times.filter((_, row) => row % 3 === of);
          const mean = counts.reduce((sum, count) => sum + count, 0) / counts.length;
          // (Six deviations of a share.)
          expect(Math.abs(mean - weight)).toBeLessThan((6 * 0.5) / Math.sqrt(1_000));
          expect(counts.every((count) => Math.abs(count - weight) < 1)).toBe(true);
        });
      }),
    );
  });

  it('learns the same, however a job is cut into slices', async () => {
    const whole = await jobOver(spec('balanced'));
    for (const steps of [5, 11, 16]) {
      let left = steps;
      // Each slice ends after some minibatches.
      const cut = await jobOver(spec('balanced'), () => {
        left -= 1;
        if (left > 0) return 100;
        left = steps;
        return 0;
      });
      expect(cut.slices).toBeGreaterThan(3);
      expect(cut.tensors).toEqual(whole.tensors);
      expect(cut.place?.epochLosses).toEqual(whole.place?.epochLosses);
    }
  });

  it('is as good at rare ones as weighing is, and other than it', async () => {
    const [drawn, weighed] = [
      await jobOver(spec('balanced', 20)),
      await jobOver(spec(undefined, 20)),
    ];
    expect(drawn.tensors).not.toEqual(weighed.tensors);
    for (const { place } of [drawn, weighed])
      expect(place?.heldOutFigures?.at(-1)?.balancedAccuracy).toBeGreaterThan(0.85);
    const loss = (job: typeof drawn) => job.place?.heldOutLosses.at(-1) ?? Number.NaN;
    expect(Math.abs(loss(drawn) - loss(weighed))).toBeLessThan(0.05);
  });

  it('draws as many rows in an epoch as there are, also of one class among many', async () => {
    const classes = Array.from({ length: 100 }, (_, i) => `c${i}`);
    const input: SpecInput = {
      ...spec('balanced', 5),
      task: 'multiclass',
      label: { classes, classWeights: 'balanced' },
    };
    const world = createWorld(input);
    const rows = Array.from({ length: 60 }, (_, i) => JSON.stringify({ x: i % 7, label: 'c3' }));
    await world.store.put(`${keys.dataset('past')}rows.jsonl`, Buffer.from(rows.join('\n')));
    const { place } = await runJob(world, { ...start, start: 'fresh' });
    expect(place?.reason).toMatch(/^5 epochs done/);
    expect(place?.epochLosses.every(Number.isFinite)).toBe(true);
  });

  it('is how balanced classes are learnt, and nothing without them', () => {
    const { label: _, ...others } = spec('balanced');
    expect(() => defineSpec(others)).toThrow(/batch\.sampling: is how classes are balanced/);
  });
});
