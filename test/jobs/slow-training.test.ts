import { expect, it } from 'vitest';
import { runJob, start, worldWithDataset } from '../support/jobs.ts';

it.each([
  { seconds: 1, slices: 1 },
  { seconds: 80, slices: 2 },
])('a job compares in a slice of its own where it trained for long: %j', async (training) => {
  const world = await worldWithDataset();
  let clock = 1.8e12;
  const ports = {
    ...world,
    now: () => clock,
    engine: {
      async compile(spec: Parameters<typeof world.engine.compile>[0]) {
        const compiled = await world.engine.compile(spec);
        return {
          ...compiled,
          train(...run: Parameters<typeof compiled.train>) {
            clock += training.seconds * 1_000;
            return compiled.train(...run);
          },
        };
      },
    },
  };
  const { place, slices } = await runJob(ports, start);
  expect(slices).toBe(training.slices);
  expect(place?.status).toBe('promotion-sent');
});
