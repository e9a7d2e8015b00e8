import { z } from 'zod';
import { partSchema } from '../datasets/parts.ts';
import { preparePart } from '../datasets/prepare-part.ts';
import { invalid, reasonIf } from '../errors.ts';
import { isTimeUp } from '../fold/time-left.ts';
import { loadModel, modelOf } from '../model/model.ts';
import { parse } from '../parse.ts';
import type { Ports } from '../ports/ports.ts';
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
  ports: Ports,
  { model: name, job, plan, part }: PartRequest,
  secondsLeft: () => number,
): Promise<PartOutcome> {
  const timer = () => isTimeUp(secondsLeft);
  const prepare = async () => {
    const model = await modelOfJob(ports, name, job);
    return preparePart(ports, model, { plan, part }, { isTimeUp: timer, mustStop: timer });
  };
  const preparing = await prepare().catch(reasonIf('invalid'));
  if (typeof preparing === 'string') {
    ports.log.warn('a part of a dataset cannot be prepared', {
      model: name,
      job,
      part: part.part,
      reason: preparing,
    });
    return { isDone: true, rows: 0, reason: preparing };
  }
  if (preparing.isDone) return { isDone: true, rows: preparing.prepared.tally.rows };
  return { isDone: false, rows: preparing.rows };
}

async function modelOfJob(ports: Ports, name: string, job: string) {
  const [first, record] = [await loadModel(ports, name), await readJob(ports.store, name, job)];
  const model = first && record && (await modelOf(ports, first, record.spec));
  if (model === undefined) throw invalid(`model ${name} has no job ${job} any more`);
  return model;
}
