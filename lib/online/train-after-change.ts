import { isOfKind } from '../errors.ts';
import { deduplicationId } from '../ports/deduplication.ts';
import type { Ports } from '../ports/ports.ts';
import type { Spec } from '../spec/spec.ts';

/**
 * Starts the batch job that a spec wants once its stream has changed: one a day at most, whose id
 * is that of the day. A job that could not be sent is not sent again: what the stream has taught is
 * committed by then, and must not wait for it.
 */
export async function trainAfterChange(ports: Ports, { model, online }: Spec): Promise<void> {
  const wanted = online.drift?.job;
  if (wanted === undefined) return;
  const job = `drift-${new Date(ports.now()).toISOString().slice(0, 10)}`;
  try {
    await ports.sendJob({
      body: JSON.stringify({ model, job, ...wanted }),
      group: model,
      deduplication: deduplicationId(model, job),
    });
    ports.log.warn('a batch job is sent, since the stream has changed', { model, job });
  } catch (error) {
    if (!isOfKind(error, 'unavailable')) throw error;
    ports.log.error('the job after a change could not be sent', { model, job, error });
  }
}
