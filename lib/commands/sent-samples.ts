import * as z from 'zod';
import { readTable } from '../features/read-table.ts';
import { type RawSamples, SampleTable } from '../features/sample-table.ts';
import { limits } from '../limits.ts';
import { isRecord, strictObject } from '../parse.ts';
import { numbering } from './numbering.ts';

const sampleList = z
  .array(z.unknown())
  .min(1, 'must hold at least one sample')
  .max(limits.messageSamples, `at most ${limits.messageSamples} samples`);

const sampleObject = z
  .string()
  .regex(
    /^s3:\/\/[^/]+\/datasets\/.+$/,
    'must be a list, or an object below s3://<bucket>/datasets/',
  );

const listed = z.union([sampleList, sampleObject], {
  error: 'must be a list of samples, or an object below s3://<bucket>/datasets/',
});

/** Samples as a message has them: a list, a table of columns, or the name of an object. */
const sentSamples = z.unknown().transform((sent, context): RawSamples | string => {
  if (sent instanceof SampleTable) return sent;
  const checked = listed.safeParse(sent);
  if (checked.success) return checked.data;
  context.issues.push(...(checked.error.issues as z.core.$ZodRawIssue[]));
  return z.NEVER;
});

/** Names of the field that has a message's samples: one of them. */
const names = ['samples', 'columns', 'labels'] as const;

/**
 * A body that has its samples as `samples`. `labels` is another name for those that have ids instead
 * of features, and `columns` has the cells of all samples field by field.
 */
function withSamples(sent: unknown, context: z.RefinementCtx): unknown {
  if (!isRecord(sent)) return sent;
  const [name, ...others] = names.filter((each) => sent[each] !== undefined);
  if (name === undefined) return sent;
  const no = (message: string, ...path: readonly string[]) =>
    context.addIssue({ code: 'custom', path: [...path], message });
  for (const other of others) no(`is another name for ${name}; send all in one of them`, other);
  if (name === 'samples') return sent;
  const { columns, labels, ...rest } = sent;
  if (name === 'labels') {
    const checked = listed.safeParse(labels);
    for (const { message } of checked.error?.issues ?? []) no(message, name);
    return { ...rest, samples: labels };
  }
  const read = readTable(columns);
  if (!read.ok) no(read.reason, name, ...read.path);
  return { ...rest, samples: read.ok ? read.table : columns };
}

/** The body of a message of samples. */
export const samplesBody = z.preprocess(
  withSamples,
  // (A dead letter's number is for `millrace redrive` alone.)
  strictObject({ ...numbering, samples: sentSamples }, ['producer', 'seq', ...names]),
);
