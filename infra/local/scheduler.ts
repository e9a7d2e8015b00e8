import { SendMessageCommand, type SQSClient } from '@aws-sdk/client-sqs';
import { Cron } from 'croner';
import * as z from 'zod';

const inputSchema = z.object({
  QueueUrl: z.string(),
  MessageBody: z.string(),
  MessageGroupId: z.string(),
  MessageDeduplicationId: z.string(),
});

/** Sends what a schedule is to send, at the time that it is due. */
export async function sendInput(sqs: SQSClient, input: string): Promise<void> {
  const text = input.replaceAll('<aws.scheduler.scheduled-time>', new Date().toISOString());
  await sqs.send(new SendMessageCommand(inputSchema.parse(JSON.parse(text))));
}

/** When a schedule is due. */
export type Due = {
  readonly ScheduleExpression: string;
  /** By whose days and hours a `cron(…)` is. */
  readonly timeZone: string;
};

/**
 * Runs a schedule of the scheduler service.
 *
 * @param run what is due
 * @param onFailure told why it failed
 * @returns how to stop it
 */
export function runSchedule(
  { ScheduleExpression: expression, timeZone }: Due,
  run: () => Promise<unknown>,
  onFailure: (error: unknown) => void,
): () => void {
  const [, kind, argument = ''] = /^(rate|cron)\((.+)\)$/.exec(expression) ?? [];
  if (kind === 'cron') {
    // AWS: minutes hours day month weekday year, Sunday is 1. croner wants seconds before them.
    const cron = new Cron(
      `0 ${argument}`,
      { timezone: timeZone, alternativeWeekdays: true, catch: onFailure },
      async () => void (await run()),
    );
    return () => cron.stop();
  }
  // Node's timers end at 24.8 days, and a rate does not.
  const period = rateMilliseconds(argument);
  // (Told from 1970 on, so that it does not begin anew with each start of the stack.)
  let due = (Math.floor(Date.now() / period) + 1) * period;
  const timer = setInterval(
    () => {
      if (Date.now() < due) return;
      due += period;
      void run().catch(onFailure);
    },
    Math.min(period, 60_000),
  );
  timer.unref();
  return () => clearInterval(timer);
}

const unitMilliseconds: Readonly<Record<string, number>> = {
  minute: 60_000,
  hour: 3_600_000,
  day: 86_400_000,
};

/**
 * The period of `rate(…)`: a count and minute(s), hour(s) or day(s). @throws Error for anything
 * else
 */
export function rateMilliseconds(rate: string): number {
  const [, count, unit = ''] = /^(\d+) (minute|hour|day)s?$/.exec(rate) ?? [];
  const milliseconds = Number(count) * (unitMilliseconds[unit] ?? Number.NaN);
  if (!(milliseconds > 0))
    throw new Error(`rate(${rate}): must be a count of minutes, hours or days`);
  return milliseconds;
}
