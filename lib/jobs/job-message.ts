import * as z from 'zod';
import { parse, parseJson, strictObject } from '../parse.ts';
import { datasetName, fileNames, jobId, modelName, newJobId } from '../spec/names.ts';

const jobSchema = strictObject({
  model: modelName,
  /** The message's id unless given: a doubled start is one job. */
  job: jobId.optional(),
  /** A dataset below `datasets/`, or `journal` for the samples that arrived. */
  dataset: datasetName,
  /** Which files of the dataset; all unless given. `*` stands for any characters. */
  files: fileNames.optional(),
  /** Where the weights come from: the model in use (the default), or the spec's seed. */
  start: z.enum(['champion', 'fresh']).default('champion'),
  /** The slice to run; the function sends it to itself. */
  slice: z.int().nonnegative().default(0),
});

/** A message of the jobs queue. */
export type JobMessage = z.output<typeof jobSchema> & { readonly job: string };

/** Parses a message of the jobs queue. @throws MillraceError kind `invalid` */
export function parseJobMessage(body: string, messageId: string): JobMessage {
  const parsed = parse(jobSchema, parseJson(body), 'body');
  // (One that an earlier release began goes on.)
  if (parsed.slice === 0) parse(newJobId.optional(), parsed.job, 'body.job');
  return { ...parsed, job: parsed.job ?? messageId };
}
