import { describe, expect, it } from 'vitest';
import { rateAt } from '../../lib/network/schedules.ts';
import { defineSpec, type Schedule } from '../../lib/spec/spec.ts';

describe('the learning rate', () => {
  it.each<[Schedule | undefined, Record<number, number>]>([
    [undefined, { 0: 0.8, 1000: 0.8 }],
    [{ type: 'constant' }, { 0: 0.8, 1000: 0.8 }],
    [
      { type: 'step', steps: 10, factor: 0.5 },
      { 0: 0.8, 9: 0.8, 10: 0.4, 19: 0.4, 20: 0.2 },
    ],
    [
      { type: 'exponential', steps: 10, factor: 0.25 },
      { 0: 0.8, 5: 0.4, 10: 0.2, 20: 0.05 },
    ],
    [
      { type: 'cosine', steps: 100, floor: 0 },
      { 0: 0.8, 50: 0.4, 100: 0, 1000: 0 },
    ],
    [
      { type: 'cosine', steps: 100, floor: 0.5 },
      { 0: 0.8, 50: 0.6, 100: 0.4, 1000: 0.4 },
    ],
    [
      { type: 'inverseTime', steps: 10 },
      { 0: 0.8, 10: 0.4, 30: 0.2 },
    ],
  ])('follows %o', (schedule, expected) => {
    for (const [step, rate] of Object.entries(expected)) {
      expect(rateAt({ rate: 0.8, ...(schedule && { schedule }) }, Number(step))).toBeCloseTo(
        rate,
        12,
      );
    }
  });

  it('is refused with a schedule that would never end or grow', () => {
    const declare = (schedule: object) =>
      defineSpec({
        model: 'm',
        task: 'binary',
        features: { x: { type: 'number' } },
        online: { schedule } as never,
      });
    expect(() => declare({ type: 'step', steps: 0, factor: 0.5 })).toThrow(
      /spec.online.schedule.steps/,
    );
    expect(() => declare({ type: 'step', steps: 5, factor: 2 })).toThrow(
      /spec.online.schedule.factor/,
    );
    expect(() => declare({ type: 'linear' })).toThrow(/spec.online.schedule/);
  });
});
