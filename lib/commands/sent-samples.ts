import * as z from 'zod';
import { readTable } from '../features/read-table.ts';
import { type RawSamples, SampleTable } from '../features/sample-table.ts';
import { limits } from '../limits.ts';
import { isRecord, strictObject } from '../parse.ts';
import { numbering } from './numbering.ts';

const fewest = 'must hold at least one sample';
const most = `at most ${limits.messageSamples} samples`;

const sampleList = z.array(z.unknown()).min(1, fewest).max(limits.messageSamples, most);

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
  const reason = read.ok && problemOf(read.table);
  if (reason) no(reason, name);
  return { ...rest, samples: read.ok ? read.table : columns };
}

/** Why a table has not as many samples as a message may; undefined if it has. */
function problemOf({ length, nameBytes }: SampleTable): string | undefined {
  if (length === 0) return fewest;
  if (length > limits.messageSamples) return most;
  const bytes = length * nameBytes;
  if (bytes <= limits.sampleObjectBytes) return undefined;
  return (
    `with ${nameBytes} bytes of names for each of its ${length} samples it would be a list of ` +
    `${bytes} bytes; at most ${limits.sampleObjectBytes} are allowed, send fewer in a message`
  );
}

/** The body of a message of samples. */
export const samplesBody = z.preprocess(
  withSamples,
  // (A dead letter's number is for `millrace redrive` alone.)
  strictObject({ ...numbering, samples: sentSamples }, ['producer', 'seq', ...names]),
);
