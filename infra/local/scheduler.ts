import { SendMessageCommand, type SQSClient } from '@aws-sdk/client-sqs';
import { Cron } from 'croner';
import { z } from 'zod';

/** A schedule as the template describes it, with its target's input. */
export type ScheduleSettings = { readonly expression: string; readonly input: string };

const inputSchema = z.object({
  QueueUrl: z.string(),
  MessageBody: z.string(),
  MessageGroupId: z.string(),
  MessageDeduplicationId: z.string(),
});

/** Runs a schedule of the scheduler service, in UTC; returns how to stop it. */
export function runSchedule(sqs: SQSClient, { expression, input }: ScheduleSettings): () => void {
  const send = async () => {
    const message = inputSchema.parse(
      JSON.parse(input.replaceAll('<aws.scheduler.scheduled-time>', new Date().toISOString())),
    );
    await sqs.send(new SendMessageCommand(message));
  };
  const report = (error: unknown) =>
    console.error(`the schedule ${expression} could not send its job:`, error);
  const [, kind, argument = ''] = /^(rate|cron)\((.+)\)$/.exec(expression) ?? [];
  if (kind === 'cron') {
    // AWS: minutes hours day month weekday year, Sunday is 1. croner wants seconds before them.
    const cron = new Cron(
      `0 ${argument}`,
      { timezone: 'UTC', alternativeWeekdays: true, catch: report },
      send,
    );
    return () => cron.stop();
  }
  // Node's timers end at 24.8 days, and a rate does not.
  const period = rateMilliseconds(argument);
  let due = Date.now() + period;
  const timer = setInterval(
    () => {
      if (Date.now() < due) return;
      due += period;
      void send().catch(report);
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
