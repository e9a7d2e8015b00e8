import { cosineOfPi } from '../arithmetic.ts';
import type { Schedule } from '../spec/spec.ts';

/** A learning rate, and its schedule if it has one. */
export type ScheduledRate = {
  readonly rate: number;
  readonly schedule?: Schedule;
  /** What it is multiplied by in a step, counted as {@link rateAt} does; 1 unless given. */
  readonly factorAt?: (step: number) => number;
};

/**
 * The learning rate of a gradient step.
 *
 * @param step gradient steps that the state has made before it
 */
export function rateAt(scheduled: ScheduledRate, step: number): number {
  const rate = unscaledAt(scheduled, step);
  return scheduled.factorAt === undefined ? rate : rate * scheduled.factorAt(step);
}

function unscaledAt({ rate, schedule }: ScheduledRate, step: number): number {
  switch (schedule?.type) {
    case undefined:
    case 'constant':
      return rate;
    case 'step':
      return rate * schedule.factor ** Math.floor(step / schedule.steps);
    case 'exponential':
      return rate * schedule.factor ** (step / schedule.steps);
    case 'cosine': {
      // Loshchilov and Hutter 2017, without restarts.
      const done = Math.min(1, step / schedule.steps);
      return rate * (schedule.floor + (1 - schedule.floor) * 0.5 * (1 + cosineOfPi(done)));
    }
    case 'inverseTime':
      return rate / (1 + step / schedule.steps);
  }
}
