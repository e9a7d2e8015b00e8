import type { ObjectStore } from '../bucket/object-store.ts';
import type { JobMessage } from '../jobs/job-message.ts';
import { readProgress } from '../jobs/progress.ts';
import { runSlice, type SliceResult } from '../jobs/slice.ts';
import { limits } from '../limits.ts';
import type { Ports } from '../ports/ports.ts';

/** The ports of a job that is none of the stack's: it writes to another store, and sends nothing. */
export function portsAside({ startParts: _, ...ports }: Ports, store: ObjectStore): Ports {
  const nowhere = async () => undefined;
  return { ...ports, store, sendJob: nowhere, sendSamples: nowhere };
}

/**
 * Runs the slices of such a job from where it is, until it has ended.
 *
 * @returns its last slice; undefined if there is no time for another
 */
export async function runJobAside(
  ports: Ports,
  start: Omit<JobMessage, 'slice'>,
  secondsLeft: () => number,
): Promise<SliceResult | undefined> {
  const reached = await readProgress(ports.store, start.model, start.job);
  for (let slice = reached?.slice ?? 0; ; ) {
    const done = await runSlice(ports, { ...start, slice }, secondsLeft);
    const { status } = done.place;
    if (status === 'failed' || status === 'promotion-sent' || status === 'kept-champion')
      return done;
    // A slice that begins with little time may come to nothing, and be taken for too slow.
    if (secondsLeft() < limits.batchTimeoutSeconds / 2) return undefined;
    slice = done.place.slice;
  }
}
