import { isTimeUp } from '../fold/time-left.ts';
import type { Model } from '../model/model.ts';
import type { Ports } from '../ports/ports.ts';

/** What a slice has to go by. */
type Slice = {
  readonly ports: Pick<Ports, 'now'>;
  readonly model: Pick<Model, 'spec'>;
  readonly secondsLeft: () => number;
};

/** Whether the slice's budget of time, from now on, is used up. */
export function timerOf(slice: Slice): () => boolean {
  const { now } = slice.ports;
  const deadline = now() + slice.model.spec.batch.slice.seconds * 1_000;
  return () => now() >= deadline || isTimeUp(slice.secondsLeft);
}

/** The same, from the first time on that somebody asks. */
export function lazyTimerOf(slice: Slice): () => boolean {
  let timer: (() => boolean) | undefined;
  return () => {
    timer ??= timerOf(slice);
    return timer();
  };
}
