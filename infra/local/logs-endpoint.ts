import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as z from 'zod';

const requestSchema = z.object({
  logGroupName: z.string(),
  startTime: z.number().default(0),
  endTime: z.number().default(Number.POSITIVE_INFINITY),
  filterPattern: z.string().default(''),
});

const timedSchema = z.object({ timestamp: z.string() });

/** The functions' log files: a folder with `<name>.log` of each. */
export type FunctionLogs = {
  readonly folder: string;
  readonly names: { readonly has: (name: string) => boolean };
};

/** The target of the one operation of CloudWatch Logs that the local stack answers. */
export const filterLogEvents = 'Logs_20140328.FilterLogEvents';

/**
 * CloudWatch Logs' `FilterLogEvents` over the functions' log files: all in one page. Of the syntax
 * of patterns it knows alternatives, `?ERROR ?"timed out"`. A log group has the name of its
 * function.
 *
 * @returns undefined if there is no such group
 */
export async function answerFilterLogEvents(
  { folder, names }: FunctionLogs,
  body: unknown,
): Promise<object | undefined> {
  const { logGroupName, startTime, endTime, filterPattern } = requestSchema.parse(body);
  if (!names.has(logGroupName)) return undefined;
  // A function that has not run yet has logged nothing.
  const text = await readFile(join(folder, `${logGroupName}.log`), 'utf8').catch(() => '');
  const wanted = [...filterPattern.matchAll(/\?(?:"([^"]*)"|(\S+))/g)].map(
    ([, quoted, plain]) => quoted ?? plain ?? '',
  );
  // A line that is no JSON was written right after the one before it.
  let timestamp = 0;
  const events = text
    .split('\n')
    .filter((line) => line !== '')
    .map((message, i) => {
      timestamp = timeOf(message) ?? timestamp;
      return { eventId: `${logGroupName}-${i}`, logStreamName: 'local', timestamp, message };
    })
    .filter((event) => event.timestamp >= startTime && event.timestamp < endTime)
    .filter(({ message }) => wanted.length === 0 || wanted.some((each) => message.includes(each)));
  return { events };
}

function timeOf(line: string): number | undefined {
  try {
    const { timestamp } = timedSchema.parse(JSON.parse(line));
    return Date.parse(timestamp);
  } catch {
    return undefined;
  }
}
