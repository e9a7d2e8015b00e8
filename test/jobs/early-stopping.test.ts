import { describe, expect, it } from 'vitest';
import type { Engine } from '../../lib/engine/engine.ts';
import { dollarsPerGibibyteSecond } from '../../lib/jobs/budget.ts';
import { readLane } from '../../lib/jobs/lane.ts';
import { limits } from '../../lib/limits.ts';
import { runJob, start, worldWithDataset } from '../support/jobs.ts';
import { modelOf, ticketsSpec } from '../support/world.ts';

/** The lane of a job that gets worse after some epochs, and its held-out losses. */
async function stoppedJob(slice: { readonly epochs: number } | undefined) {
  const world = await worldWithDataset({
    ...ticketsSpec,
    optimizer: { type: 'momentum', rate: 0.9 },
    batch: { ...ticketsSpec.batch, epochs: 60, patience: 8, ...(slice && { slice }) },
  });
  const { slices } = await runJob(world);
  const lane = (await readLane(world, await modelOf(world), start))?.lane;
  if (lane === undefined) throw new Error('there is a lane');
  return { lane, slices, losses: lane.place.heldOutLosses };
}

describe('early stopping', () => {
  it("hands over the best epoch's weights, also over restarts", async () => {
    const { lane, losses } = await stoppedJob(undefined);
    const best = losses.indexOf(Math.min(...losses)) + 1;
    expect(losses.length).toBe(best + 8);
    // Whole epochs, of at most 40 rows in minibatches of 4.
    const stepsOfEpoch = lane.parameters.step / best;
    expect(Number.isInteger(stepsOfEpoch)).toBe(true);
    expect(stepsOfEpoch).toBeLessThanOrEqual(10);
    const inSlices = await stoppedJob({ epochs: 1 });
    expect(inSlices.slices).toBeGreaterThan(losses.length - 1);
    expect(inSlices.lane.parameters).toEqual(lane.parameters);
  });
});

describe('a budget of seconds', () => {
  it('ends a job over all of its slices, within an epoch, with what it has learnt', async () => {
    const all: number[] = [];
    for (const slice of [{}, { seconds: 1e-9 }]) {
      const batch = { ...ticketsSpec.batch, epochs: 1_000, minibatch: 1, seconds: 0.2, slice };
      const world = await worldWithDataset({ ...ticketsSpec, batch }, 4_000);
      // Each call of the engine takes a tenth of a second.
      let clock = 0;
      const ticking = { ...world, now: () => (clock += 100) };
      const { place, slices } = await runJob(ticking);
      expect(place?.reason).toContain('its 0.2 s of training are used up');
      expect(place).toMatchObject({ epoch: 1, heldOutLosses: [expect.any(Number)] });
      const lane = await readLane(world, await modelOf(world), start);
      expect(lane?.lane.parameters.step).toBeGreaterThan(0);
      expect(lane?.lane.parameters.step).toBeLessThan(3_000);
      all.push(slices);
    }
    expect(all).toEqual([1, expect.any(Number)]);
    expect(all[1]).toBeGreaterThan(1);
  });
});

describe('a budget of time', () => {
  it('counts what a slice does beside its steps', async () => {
    const batch = { ...ticketsSpec.batch, epochs: 1_000, seconds: 0.5 };
    const world = await worldWithDataset({ ...ticketsSpec, batch });
    // Predicting the held-out rows takes a tenth of a second, and nothing else any time.
    let clock = 0;
    const engine: Engine = {
      async compile(spec) {
        const compiled = await world.engine.compile(spec);
        const predict: typeof compiled.predict = (...all) => {
          clock += 100;
          return compiled.predict(...all);
        };
        return { ...compiled, predict };
      },
    };
    const { place } = await runJob({ ...world, engine, now: () => clock });
    expect(place?.reason).toContain('its 0.5 s of training are used up');
    expect(place?.epoch).toBe(6);
  });
});

describe('a budget of dollars', () => {
  it('is so many seconds of the function', async () => {
    const second = (limits.functionMemoryMebibytes / 1_024) * dollarsPerGibibyteSecond;
    const batch = { ...ticketsSpec.batch, epochs: 1_000, minibatch: 1, dollars: 0.2 * second };
    for (const seconds of [{}, { seconds: 100 }]) {
      const world = await worldWithDataset(
        { ...ticketsSpec, batch: { ...batch, ...seconds } },
        4_000,
      );
      let clock = 0;
      const { place } = await runJob({ ...world, now: () => (clock += 100) });
      expect(place?.reason).toContain(`its $${batch.dollars} of training are used up`);
      const lane = await readLane(world, await modelOf(world), start);
      expect(lane?.lane.parameters.step).toBeLessThan(3_000);
    }
  });
});

describe('experts without a network', () => {
  it('know the labels of the rows of a job, however it is cut into slices', async () => {
    const experts = [{ hidden: [3] }, { predicts: 'prior' as const }];
    const counts = async (slice: object) => {
      const batch = { ...ticketsSpec.batch, slice };
      const { optimizer: _, ...spec } = ticketsSpec;
      const world = await worldWithDataset({ ...spec, batch, online: { experts } });
      await runJob(world, { ...start, start: 'fresh' });
      const lane = await readLane(world, await modelOf(world), start);
      return lane?.lane.parameters.tensors['weights/mixture/class_counts']?.data;
    };
    const whole = await counts({});
    expect(whole?.reduce((sum, each) => sum + each, 0)).toBeGreaterThan(25);
    expect(await counts({ seconds: 1e-9 })).toEqual(whole);
  });
});
