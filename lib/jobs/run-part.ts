import * as z from 'zod';
import type { ObjectStore } from '../bucket/object-store.ts';
import { partSchema } from '../datasets/parts.ts';
import type { Declared } from '../datasets/preparation.ts';
import { preparePart } from '../datasets/prepare-part.ts';
import { invalid, reasonIf } from '../errors.ts';
import { createEncoder } from '../features/encoder.ts';
import { isTimeUp } from '../fold/time-left.ts';
import { loadSpecOf } from '../model/stored-spec.ts';
import { parse } from '../parse.ts';
import type { Ports } from '../ports/ports.ts';
import { lazyTimerOf } from './budget.ts';
import { readJob } from './record.ts';

const requestSchema = z.strictObject({
  model: z.string(),
  job: z.string(),
  plan: z.string(),
  part: partSchema,
});

/** A part of the dataset of a job, as the state machine asks for it. */
export type PartRequest = z.output<typeof requestSchema>;

/** Whether a part needs no further invocation; and why it has none, if it has not been prepared. */
export type PartOutcome = {
  readonly isDone: boolean;
  readonly rows: number;
  readonly reason?: string;
};

/** What the state machine asks for. @throws MillraceError kind `invalid` */
export function parsePartRequest(event: unknown): PartRequest {
  return parse(requestSchema, event, 'the request');
}

/**
 * Prepares a part of a job's dataset, as far as the time allows. What is wrong with the part is left
 * to the job's next slice, which finds it missing, and ends the job with the reason.
 *
 * @throws MillraceError kind `unavailable` if S3 does not answer
 */
export async function runPart(
  ports: Pick<Ports, 'store' | 'log' | 'now'>,
  { model, job, plan, part }: PartRequest,
  secondsLeft: () => number,
): Promise<PartOutcome> {
  const prepare = async () => {
    const declared = await declaredOf(ports.store, model, job);
    const turn = {
      isTimeUp: lazyTimerOf({ ports, model: declared, secondsLeft }),
      mustStop: () => isTimeUp(secondsLeft),
    };
    return preparePart(ports, declared, { plan, part }, turn);
  };
  const preparing = await prepare().catch(reasonIf('invalid'));
  if (typeof preparing === 'string') {
    ports.log.warn('a part of a dataset cannot be prepared', {
      model,
      job,
      part: part.part,
      reason: preparing,
    });
    return { isDone: true, rows: 0, reason: preparing };
  }
  if (preparing.isDone) return { isDone: true, rows: preparing.prepared.tally.rows };
  return { isDone: false, rows: preparing.rows };
}

/** What the spec of a job declares of its samples; its network is not needed. */
async function declaredOf(store: ObjectStore, model: string, job: string): Promise<Declared> {
  const record = await readJob(store, model, job);
  const declared = record && (await loadSpecOf(store, model, record.spec));
  if (declared === undefined) throw invalid(`model ${model} has no job ${job} any more`);
  return { ...declared, encoder: createEncoder(declared.spec) };
}
