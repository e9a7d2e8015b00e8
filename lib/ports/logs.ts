import { CloudWatchLogsClient, paginateFilterLogEvents } from '@aws-sdk/client-cloudwatch-logs';
import { invalid, MillraceError } from '../errors.ts';
import { clientSettings } from './aws.ts';

/** A line that a function logged. */
export type LogLine = {
  readonly logGroup: string;
  /** Milliseconds since 1970. */
  readonly time: number;
  readonly text: string;
};

/** Lines with one of these are problems: of ours, and of Lambda's own about an invocation. */
const problems = '?ERROR ?WARN ?"Task timed out" ?"Runtime exited" ?"Runtime.ExitError"';

/** Which lines to read: those from a time on. */
export type LogSpan = {
  /** Milliseconds since 1970. */
  readonly since: number;
  /** Whether all lines are wanted; those of problems alone unless given. */
  readonly all?: boolean;
};

/**
 * The lines of some log groups, those of one after the other.
 *
 * @throws MillraceError kind `invalid` if a group does not exist or may not be read, `unavailable`
 *   if CloudWatch does not answer
 */
export async function* readLogs(
  logGroups: readonly string[],
  { since, all = false }: LogSpan,
): AsyncGenerator<LogLine> {
  const client = new CloudWatchLogsClient(clientSettings);
  try {
    for (const logGroup of logGroups) {
      const input = {
        logGroupName: logGroup,
        startTime: since,
        ...(all ? {} : { filterPattern: problems }),
      };
      for await (const { events = [] } of paginateFilterLogEvents({ client }, input)) {
        for (const { timestamp = 0, message = '' } of events)
          yield { logGroup, time: timestamp, text: message.trimEnd() };
      }
    }
  } catch (cause) {
    throw asOwn(cause);
  } finally {
    client.destroy();
  }
}

function asOwn(cause: unknown): MillraceError {
  const { name, message } = cause instanceof Error ? cause : { name: '', message: String(cause) };
  const isRefused = ['AccessDeniedException', 'ResourceNotFoundException'].includes(name);
  if (isRefused) return invalid(`the logs cannot be read: ${message}`, cause);
  return new MillraceError('unavailable', `CloudWatch Logs does not answer: ${message}`, { cause });
}
