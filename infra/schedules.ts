import { Duration, RemovalPolicy, Stack, Token } from 'aws-cdk-lib';
import { PolicyStatement } from 'aws-cdk-lib/aws-iam';
import type { IFunction } from 'aws-cdk-lib/aws-lambda';
import {
  Schedule,
  ScheduleExpression,
  ScheduleGroup,
  ScheduleTargetInput,
} from 'aws-cdk-lib/aws-scheduler';
import { LambdaInvoke, Universal } from 'aws-cdk-lib/aws-scheduler-targets';
import type { Queue } from 'aws-cdk-lib/aws-sqs';
import type { Construct } from 'constructs';
import * as z from 'zod';
import { invalid } from '../lib/errors.ts';
import { limits } from '../lib/limits.ts';
import { isRecord, parse, show, strictObject } from '../lib/parse.ts';
import { datasetName, fileNames, modelName } from '../lib/spec/names.ts';
import { statementsOfSender } from './queues.ts';
import { scheduleExpression } from './schedule-expression.ts';

/** A batch job that runs on a schedule. */
export interface ScheduledJob {
  /** The model to train. */
  readonly model: string;
  /** A dataset below `datasets/`, or `journal` for the samples that arrived. */
  readonly dataset: string;
  /** Which of its files; `*` stands for any characters. @default all of them */
  readonly files?: string;
  /** When: `ScheduleExpression.rate(…)` or `.cron(…)`, in UTC unless it has a time zone. */
  readonly schedule: ScheduleExpression;
  /**
   * Where the weights come from.
   * @default 'champion': the weights in use
   */
  readonly start?: 'champion' | 'fresh';
}

const scheduledJobs = z.array(
  strictObject({
    model: modelName,
    dataset: datasetName,
    files: fileNames.optional(),
    schedule: scheduleExpression,
    start: z.enum(['champion', 'fresh']).optional(),
  }),
);

/**
 * Schedules that each send a job message to a queue, in a group of their own.
 *
 * @throws MillraceError kind `invalid` if AWS, or the functions, would refuse one
 */
export function createSchedules(
  scope: Construct,
  queue: Queue,
  jobs: readonly ScheduledJob[],
): ScheduleGroup {
  if (!Array.isArray(jobs)) throw invalid(`schedules: must be a list (found ${show(jobs)})`);
  const texts = jobs.map((each: ScheduledJob, i) => {
    if (!isRecord(each))
      throw invalid(`schedules.${i}: must be a scheduled job (found ${show(each)})`);
    const { schedule, ...job } = each;
    if (typeof schedule?.expressionString !== 'string')
      throw invalid(
        `schedules.${i}.schedule: must be ScheduleExpression.rate(…) or .cron(…) of ` +
          `aws-cdk-lib/aws-scheduler (found ${show(schedule)})`,
      );
    const zone = schedule.timeZone?.timezoneName;
    if (zone !== undefined && !isTimeZone(zone))
      throw invalid(
        `schedules.${i}.schedule: its time zone must be one of the IANA database, such as ` +
          `Europe/Vienna (found ${show(zone)})`,
      );
    return { ...job, schedule: schedule.expressionString };
  });
  parse(scheduledJobs, texts, 'schedules');
  // (What it holds has ids of its own: CloudFormation cannot move a schedule to another group.)
  const scheduleGroup = new ScheduleGroup(scope, 'Schedules', {
    removalPolicy: RemovalPolicy.DESTROY,
  });
  jobs.forEach((job: ScheduledJob, index) => {
    createSchedule(scheduleGroup, queue, job, index);
  });
  return scheduleGroup;
}

/** (One that only the deployment knows is not looked at.) */
function isTimeZone(zone: string): boolean {
  try {
    return Token.isUnresolved(zone) || new Intl.DateTimeFormat('en', { timeZone: zone }) !== null;
  } catch {
    return false;
  }
}

/** The time a message was due makes a repeated delivery the same message. */
function createSchedule(
  scheduleGroup: ScheduleGroup,
  queue: Queue,
  { schedule, ...job }: ScheduledJob,
  index: number,
): void {
  const input = {
    QueueUrl: queue.queueUrl,
    MessageBody: Stack.of(queue).toJsonString(job),
    MessageGroupId: job.model,
    MessageDeduplicationId: `${job.model}:schedule-${index + 1}:<aws.scheduler.scheduled-time>`,
  };
  new Schedule(scheduleGroup, `Schedule${index + 1}`, {
    schedule,
    scheduleGroup,
    description: `Train ${job.model} on ${job.dataset}`,
    target: new Universal({
      service: 'sqs',
      action: 'sendMessage',
      input: ScheduleTargetInput.fromObject(input),
      policyStatements: statementsOfSender([queue]).map((each) => new PolicyStatement(each)),
    }),
  });
}

/** Invokes the function that sends default labels, again and again: the next makes up for one. */
export function scheduleDefaults(scheduleGroup: ScheduleGroup, sendDefaults: IFunction): void {
  new Schedule(scheduleGroup, 'Defaults', {
    scheduleGroup,
    schedule: ScheduleExpression.rate(Duration.minutes(limits.defaultsEveryMinutes)),
    description: 'Send the default labels of questions whose labels did not come in time',
    target: new LambdaInvoke(sendDefaults, { retryAttempts: 0 }),
  });
}
