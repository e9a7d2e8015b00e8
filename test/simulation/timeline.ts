import { createHash } from 'node:crypto';

/** Simulated time: what happens, happens one after the other, in the order of its time. */
export type Timeline = {
  /** Milliseconds since the beginning. */
  readonly now: () => number;
  readonly after: (milliseconds: number, action: () => void) => void;
  /**
   * Runs until nothing is left that could happen.
   *
   * @returns false if there was no end to it
   */
  readonly run: () => Promise<boolean>;
  /** Writes down what happened. */
  readonly record: (event: string) => void;
  /** What happened, line by line, if it was asked for. */
  readonly events: readonly string[];
  /** A hash of all that happened: the same schedule has the same one. */
  readonly hash: () => string;
};

type Event = { readonly time: number; readonly order: number; readonly action: () => void };

/** More events than any schedule that ends. */
const mostEvents = 200_000;

/**
 * A new timeline.
 *
 * @param isBusy whether something real (the native engine) is still working between two events
 * @param keepsEvents whether `events` is filled
 */
export function createTimeline(isBusy: () => boolean, keepsEvents: boolean): Timeline {
  const waiting: Event[] = [];
  const events: string[] = [];
  const hash = createHash('sha256');
  let time = 0;
  let order = 0;
  /**
   * Everything that follows from an event, up to the next call of a port, happens in microtasks.
   */
  const settle = async () => {
    await new Promise<void>((resolve) => process.nextTick(resolve));
    while (isBusy()) await new Promise<void>((resolve) => setImmediate(resolve));
  };
  return {
    now: () => time,
    after(milliseconds, action) {
      const event = { time: time + milliseconds, order: order++, action };
      let place = waiting.length;
      while (place > 0 && (waiting[place - 1]?.time ?? 0) <= event.time) place -= 1;
      waiting.splice(place, 0, event);
    },
    async run() {
      await settle();
      for (let event = waiting.pop(); event !== undefined; event = waiting.pop()) {
        if (event.order > mostEvents) return false;
        time = event.time;
        event.action();
        await settle();
      }
      return true;
    },
    record(event) {
      const line = `${String(time).padStart(9)} ${event}`;
      hash.update(line);
      if (keepsEvents) events.push(line);
    },
    events,
    hash: () => hash.copy().digest('hex'),
  };
}
