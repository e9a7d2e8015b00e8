import * as z from 'zod';
import { invalid } from '../errors.ts';
import { environmentNames } from '../ports/address.ts';
import { type LogLine, readLogs } from '../ports/logs.ts';
import type { Environment } from '../ports/stack.ts';
import { timeOf } from './arguments.ts';
import { lineOf } from './done.ts';
import type { Io } from './io.ts';

/** Which lines are shown. */
export type LogOptions = {
  /** An ISO time; a day ago unless given. */
  readonly since?: string | undefined;
  /** All lines, not those of problems alone. */
  readonly all?: boolean;
};

const daySeconds = 86_400;

/** What the functions log as JSON. */
const loggedSchema = z.looseObject({
  level: z.string(),
  service: z.string().optional(),
  message: z.string(),
  model: z.string().optional(),
  job: z.string().optional(),
  reason: z.string().optional(),
  error: z.union([z.string(), z.looseObject({ message: z.string() })]).optional(),
});

/** Shows what the functions logged: their warnings and errors, or all. */
export async function logs(
  { ports, print, result }: Io,
  environment: Environment,
  { since, all = false }: LogOptions,
): Promise<number> {
  const groups = groupsOf(environment);
  if (groups.length === 0) {
    throw invalid(
      `${environmentNames.logGroups} is not set; name the stack with --stack <name>, or deploy it ` +
        'once more: it has had the output LogGroups since 0.5',
    );
  }
  const from = since === undefined ? ports.now() - daySeconds * 1_000 : timeOf('--since', since);
  if (from > ports.now()) throw invalid(`--since: ${isoOf(from)} is yet to come`);
  const lines: LogLine[] = [];
  for await (const line of readLogs(groups, { since: from, all })) lines.push(line);
  lines.sort((a, b) => a.time - b.time);
  result(
    lines.map(({ logGroup, time, text }) => ({ logGroup, time: isoOf(time), ...parsed(text) })),
  );
  for (const line of lines.filter(({ text }) => !isMetric(text))) print(textOf(line));
  if (lines.length === 0) print(`no ${all ? 'line' : 'problem'} since ${isoOf(from)}`);
  return 0;
}

function groupsOf(environment: Environment): readonly string[] {
  return (environment[environmentNames.logGroups] ?? '').split(',').filter(Boolean);
}

/** Reads all that was logged since a time; undefined where the environment names no log group. */
export function linesSince(environment: Environment) {
  const groups = groupsOf(environment);
  if (groups.length === 0) return undefined;
  return async (since: number): Promise<readonly string[]> => {
    const texts: string[] = [];
    for await (const { text } of readLogs(groups, { since, all: true })) texts.push(text);
    return texts;
  };
}

const isoOf = (time: number) => new Date(time).toISOString();

function parsed(text: string): { readonly text: string } | z.output<typeof loggedSchema> {
  try {
    return loggedSchema.parse(JSON.parse(text));
  } catch {
    return { text };
  }
}

/** Whether a line is figures for CloudWatch alone. */
function isMetric(text: string): boolean {
  return text.startsWith('{"_aws":');
}

/** A line for people: when, which function, which model, and what. */
function textOf({ logGroup, time, text }: LogLine): string {
  const logged = parsed(text);
  if (!('message' in logged)) return `${isoOf(time)} ${logGroup}: ${text}`;
  const { level, service = logGroup, message, model, job, reason, error } = logged;
  const done = lineOf(logged);
  if (done !== undefined) return `${isoOf(time)} ${level} ${service} ${done}`;
  const why = typeof error === 'string' ? error : error?.message;
  const whose = [model, job].filter((each) => each !== undefined).join('/');
  const parts = [message, reason, why].filter((each) => each !== undefined);
  return `${isoOf(time)} ${level} ${service}${whose === '' ? '' : ` ${whose}`}: ${parts.join(': ')}`;
}
