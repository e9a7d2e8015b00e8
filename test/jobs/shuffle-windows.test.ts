import fc from 'fast-check';
import { describe, expect, it, vi } from 'vitest';
import { keys } from '../../lib/bucket/keys.ts';
import { shuffledOrder } from '../../lib/datasets/order.ts';
import type { Place } from '../../lib/jobs/lane.ts';
import { shuffleWindows } from '../../lib/jobs/shuffle-windows.ts';
import { limits } from '../../lib/limits.ts';
import { defineSpec, type SpecInput } from '../../lib/spec/spec.ts';
import { runJob, start } from '../support/jobs.ts';
import { createWorld, ticketsSpec } from '../support/world.ts';

// Shards of five rows, a native call of one minibatch.
vi.mock('../../lib/limits.ts', async (original) => {
  const { limits: own, ...others } = await original<typeof import('../../lib/limits.ts')>();
  return {
    ...others,
    limits: { ...own, shardRows: 5, minibatchesPerCall: 1, callMilliseconds: 0 },
  };
});

const specOf = (shuffleShards?: number): SpecInput => ({
  ...ticketsSpec,
  features: { x: { type: 'number' } },
  network: { hidden: [] },
  optimizer: { type: 'sgd', rate: 0.1 },
  batch: {
    epochs: 2,
    minibatch: 2,
    validation: 0.2,
    ...(shuffleShards !== undefined && { shuffleShards }),
  },
});

/** A job over rows that are sorted by their label; x says little of it. */
async function jobOver(spec: SpecInput, secondsLeft = () => 100) {
  const world = createWorld(spec);
  const rows = Array.from({ length: 160 }, (_, i) => {
    const label = i >= 80;
    return JSON.stringify({ x: ((i * 37) % 23) / 11 - 1 + Number(label) / 3, label });
  });
  await world.store.put(`${keys.dataset('past')}rows.jsonl`, Buffer.from(rows.join('\n')));
  const { place, slices } = await runJob(world, { ...start, start: 'fresh' }, secondsLeft);
  return { place: place as Place, slices };
}

describe('shards that are shuffled together', () => {
  it('are each in one window, of so many shards and bytes, in the order of the epoch', () => {
    const layout = { numberWidth: 1_000, categoryCount: 0 };
    const bytesOfRow = 4_008;
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 1, max: 40_000 }), { maxLength: 30 }),
        fc.integer({ min: 1, max: 64 }),
        fc.integer({ min: 0, max: 9 }),
        (shardRows, shuffleShards, epoch) => {
          const spec = defineSpec(specOf(shuffleShards));
          const windows = shuffleWindows({ shardRows }, layout, spec, epoch);
          expect(windows.flat()).toEqual([...shuffledOrder(shardRows.length, spec.seed, epoch)]);
          for (const window of windows) {
            expect(window.length).toBeLessThanOrEqual(shuffleShards);
            const rows = window.reduce((sum, shard) => sum + (shardRows[shard] ?? 0), 0);
            if (window.length > 1)
              expect(rows * bytesOfRow).toBeLessThanOrEqual(4 * limits.shardBytes);
          }
        },
      ),
    );
  });

  it('mix a dataset that is sorted by its label', async () => {
    const alone = await jobOver(specOf());
    const together = await jobOver(specOf(64));
    const lossOf = ({ place }: { place: Place }) => place.heldOutLosses.at(-1) ?? Number.NaN;
    expect(lossOf(together)).toBeLessThan(lossOf(alone));
    expect(together.place.epochLosses[0]).not.toBe(alone.place.epochLosses[0]);
    expect((await jobOver(specOf(1))).place).toEqual(alone.place);
  });

  it('come in the same order wherever a slice ends', async () => {
    const whole = await jobOver(specOf(4));
    for (const steps of [5, 11, 16]) {
      let left = steps;
      // Each slice ends after some steps; the next one goes on in the middle of a window.
      const cut = await jobOver(specOf(4), () => {
        left -= 1;
        if (left > 0) return 100;
        left = steps;
        return 0;
      });
      expect(cut.slices).toBeGreaterThan(3);
      const { slice: _, ...place } = cut.place;
      const { slice: __, ...other } = whole.place;
      expect(place).toEqual(other);
    }
  });
});
