import * as z from 'zod';
import { putUntilAnswered } from '../bucket/conditional-puts.ts';
import { jsonBody } from '../bucket/json-objects.ts';
import { keys } from '../bucket/keys.ts';
import { isOfKind } from '../errors.ts';
import { parseJson, show } from '../parse.ts';
import type { Ports } from '../ports/ports.ts';
import { modelName, newJobId } from '../spec/names.ts';
import { parseJobMessage } from './job-message.ts';
import { firstPlace, noSums } from './lane.ts';
import { runSlice, type SliceResult } from './slice.ts';

/** A message of the jobs queue, as it arrived. */
export type JobDelivery = { readonly id: string; readonly body: string };

/** A slice that was done, or why a message can never start one. */
export type SettledJob =
  | ({ readonly ok: true; readonly model: string; readonly job: string } & SliceResult)
  | { readonly ok: false; readonly reason: string };

/**
 * Does the slice that a message asks for. A message that can never be right is settled all the
 * same: it would only block the jobs behind it. Its reason is in the log, and in the `progress.json`
 * of the job, where its model and job can be read and nothing else is known of that job.
 *
 * @throws MillraceError kind `unavailable` or `corrupt`: the message must come back
 */
export async function settleJob(
  ports: Ports,
  { id, body }: JobDelivery,
  secondsLeft: () => number,
): Promise<SettledJob> {
  try {
    const message = parseJobMessage(body, id);
    const { model, job } = message;
    return { ok: true, model, job, ...(await runSlice(ports, message, secondsLeft)) };
  } catch (error) {
    if (!isOfKind(error, 'invalid')) throw error;
    const { message: reason } = error;
    ports.log.error('a message of the jobs queue was refused', {
      id,
      reason,
      body: show(body),
    });
    await reportRefused(ports, { id, body }, reason);
    return { ok: false, reason };
  }
}

const namesSchema = z.looseObject({ model: modelName, job: newJobId.optional() });

async function reportRefused(
  ports: Ports,
  { id, body }: JobDelivery,
  reason: string,
): Promise<void> {
  const names = namesOf(body);
  if (names === undefined) return;
  const { model, job = id } = names;
  if ((await ports.store.get(keys.spec(model))) === undefined) return;
  const key = keys.progress(model, job);
  const time = new Date(ports.now()).toISOString();
  const place = { ...firstPlace(0), status: 'failed' as const, reason };
  const progress = { job, time, ...noSums, rowsOfEpoch: 0, ...place };
  await putUntilAnswered(ports, key, jsonBody(progress, key), { ifNoneMatch: '*' });
}

/** The model and the job that a body names, whatever else is wrong with it. */
function namesOf(body: string): z.output<typeof namesSchema> | undefined {
  try {
    return namesSchema.safeParse(parseJson(body)).data;
  } catch (error) {
    if (isOfKind(error, 'invalid')) return undefined;
    throw error;
  }
}
