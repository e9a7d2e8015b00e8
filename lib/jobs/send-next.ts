import { hash } from 'node:crypto';
import { challengerDigest } from '../fold/challenger.ts';
import { publishedState } from '../fold/checkpoints.ts';
import { deduplicationId } from '../ports/deduplication.ts';
import type { Ports } from '../ports/ports.ts';
import type { Lane, Place } from './lane.ts';
import { reportPromotion } from './progress.ts';
import type { JobRecord } from './record.ts';

/**
 * Sends what follows a slice. The deduplication ids make a second sending within five minutes
 * harmless.
 */
export async function sendNext(ports: Ports, record: JobRecord, { place }: Lane): Promise<void> {
  const { model, job, dataset, files, start } = record;
  switch (place.status) {
    case 'preparing':
    case 'training':
    case 'catching-up': {
      const next = {
        body: JSON.stringify({ model, job, dataset, files, start, slice: place.slice }),
        group: model,
        deduplication: deduplicationId(model, job, place.slice),
      };
      const { plan, isSideBySide } = place.parts ?? {};
      if (plan === undefined || !isSideBySide || ports.startParts === undefined)
        return ports.sendJob(next);
      const input = JSON.stringify({ model, job, plan, next });
      return ports.startParts({ name: executionName(record, place), input });
    }
    case 'promotion-sent': {
      const promoted = (await publishedState(ports, model))?.promoted;
      if (promoted?.job === job) {
        // Sending it once more would be harmless, and needless.
        const end = { promotion: promoted.sequence };
        return reportPromotion(ports, record, () => Promise.resolve(end));
      }
      const digest = await challengerDigest(ports.store, model, job);
      return ports.sendSamples({
        body: JSON.stringify({ promote: { job, digest } }),
        group: model,
        deduplication: deduplicationId(model, job, 'promote'),
      });
    }
    case 'kept-champion':
    case 'failed':
      return undefined;
    default:
      return place.status satisfies never;
  }
}

/**
 * One name for each slice that parts are left by, as Step Functions takes it: at most 80 letters,
 * digits and marks. The job's time is in it, since a name is taken for 90 days.
 */
function executionName({ model, job, time }: JobRecord, { slice }: Place): string {
  const readable = `${model}-${job}`.replaceAll(/[^A-Za-z0-9_-]/g, '-').slice(0, 47);
  return `${readable}-${hash('sha256', JSON.stringify([model, job, time, slice])).slice(0, 32)}`;
}
