import { Duration, Stack } from 'aws-cdk-lib';
import {
  Alarm,
  ComparisonOperator,
  type IMetric,
  MathExpression,
  Metric,
  TreatMissingData,
} from 'aws-cdk-lib/aws-cloudwatch';
import { SnsAction } from 'aws-cdk-lib/aws-cloudwatch-actions';
import { PolicyStatement, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import type { IFunction } from 'aws-cdk-lib/aws-lambda';
import type { IScheduleGroup } from 'aws-cdk-lib/aws-scheduler';
import type { ITopic } from 'aws-cdk-lib/aws-sns';
import type { IStateMachine } from 'aws-cdk-lib/aws-stepfunctions';
import type { Construct } from 'constructs';
import { limits } from '../lib/limits.ts';
import type { QueueWithDeadLetters } from './queues.ts';
import { namespaceOf } from './training-function.ts';

/** What is watched. */
export type Watched = {
  readonly queues: Readonly<Record<'Samples' | 'Jobs' | 'Commands', QueueWithDeadLetters>>;
  readonly functions: Readonly<
    Record<string, { readonly function: IFunction; readonly timeoutSeconds: number }>
  >;
  readonly partsMachine: IStateMachine;
  readonly scheduleGroup: IScheduleGroup;
  /** Told when an alarm rings, and when it is over. */
  readonly topic?: ITopic | undefined;
};

const period = Duration.minutes(5);
const hour = 3_600;

/** A metric that is to stay at or below a threshold, and what to do if it does not. */
type Rule = {
  readonly id: string;
  readonly metric: IMetric;
  readonly threshold: number;
  readonly description: string;
};

/** An alarm for everything that a person must look at; each says what to do. */
export function createAlarms(scope: Construct, watched: Watched): readonly Alarm[] {
  const rules = [
    ...rulesOfQueues(watched),
    ruleOfBacklog(watched),
    ...rulesOfFunctions(watched),
    ...rulesOfModels(scope),
    ruleOfParts(watched),
    ruleOfSchedules(watched),
  ];
  if (watched.topic !== undefined) letAlarmsTell(scope, watched.topic);
  return rules.map(({ id, metric, threshold, description }) => {
    const alarm = new Alarm(scope, `${id}Alarm`, {
      metric,
      alarmDescription: description,
      threshold,
      comparisonOperator: ComparisonOperator.GREATER_THAN_THRESHOLD,
      evaluationPeriods: 1,
      treatMissingData: TreatMissingData.NOT_BREACHING,
    });
    if (watched.topic !== undefined) {
      alarm.addAlarmAction(new SnsAction(watched.topic));
      alarm.addOkAction(new SnsAction(watched.topic));
    }
    return alarm;
  });
}

/**
 * Lets alarms publish. (SNS' own policy does, until a topic has another, such as one that refuses
 * whoever comes without TLS. That of a topic of another stack cannot be written here.)
 */
function letAlarmsTell(scope: Construct, topic: ITopic): void {
  const principals = [new ServicePrincipal('cloudwatch.amazonaws.com')];
  const conditions = { StringEquals: { 'aws:SourceAccount': Stack.of(scope).account } };
  const resources = [topic.topicArn];
  topic.addToResourcePolicy(
    new PolicyStatement({ principals, conditions, resources, actions: ['sns:Publish'] }),
  );
  topic.masterKey?.addToResourcePolicy(
    new PolicyStatement({
      principals,
      conditions,
      resources: ['*'],
      actions: ['kms:Decrypt', 'kms:GenerateDataKey*'],
    }),
  );
}

function rulesOfQueues({ queues }: Watched): readonly Rule[] {
  return Object.entries(queues).flatMap(([name, { queue, deadLetters }]) => [
    {
      id: `${name}DeadLetters`,
      metric: deadLetters.metricApproximateNumberOfMessagesVisible({ period }),
      threshold: 0,
      description: `Messages of ${name} could not be settled. Mend the cause, then: npx millrace redrive`,
    },
    {
      id: `${name}Waiting`,
      metric: queue.metricApproximateAgeOfOldestMessage({ period }),
      threshold: hour,
      description: `A message of ${name} waits for over an hour. SQS deletes messages after 14 days.`,
    },
  ]);
}

function ruleOfBacklog({ queues }: Watched): Rule {
  return {
    id: 'SamplesBacklog',
    metric: queues.Samples.queue.metricApproximateNumberOfMessagesVisible({ period }),
    threshold: limits.queueMessages,
    description:
      'So many messages wait that one model soon holds up all others. See docs/operations.md',
  };
}

function rulesOfFunctions({ functions }: Watched): readonly Rule[] {
  return Object.entries(functions).flatMap(([name, { function: fn, timeoutSeconds }]) => [
    {
      id: `${name}Errors`,
      metric: fn.metricErrors({ period }),
      threshold: 0,
      description: `${name} failed; its log says why.`,
    },
    {
      id: `${name}Throttles`,
      metric: fn.metricThrottles({ period }),
      threshold: 0,
      description: `${name} was throttled; raise the concurrency of the account.`,
    },
    {
      id: `${name}Duration`,
      metric: fn.metricDuration({ period, statistic: 'Maximum' }),
      // (Some work on purpose until a few seconds are left.)
      threshold: (timeoutSeconds - 1) * 1_000,
      description: `${name} came near its timeout of ${timeoutSeconds} s.`,
    },
  ]);
}

function rulesOfModels(scope: Construct): readonly Rule[] {
  const own = (metricName: string, service: string) =>
    new Metric({
      namespace: namespaceOf(scope),
      metricName,
      dimensionsMap: { service },
      statistic: 'Sum',
      period,
    });
  return [
    {
      id: 'ModelsStopped',
      metric: own('ModelsStopped', 'online-update'),
      threshold: 0,
      description: 'A model was stopped: its stored data breaks an invariant. Its messages wait.',
    },
    {
      id: 'JobsFailed',
      metric: own('JobsFailed', 'batch-train'),
      threshold: 0,
      description: 'A batch job failed; its progress.json says why.',
    },
    {
      id: 'StreamChanges',
      metric: own('StreamChanges', 'online-update'),
      threshold: 0,
      description:
        'A model predicts its stream worse than before, by more than chance. See: npx millrace show <model>',
    },
    {
      id: 'RefusedShare',
      metric: new MathExpression({
        expression: '100 * refused / (refused + learnt)',
        usingMetrics: {
          refused: own('SamplesRefused', 'online-update'),
          learnt: own('SamplesLearnt', 'online-update'),
        },
        period,
      }),
      threshold: 50,
      description: 'Over half of the samples were refused. See: npx millrace quarantine <model>',
    },
  ];
}

function ruleOfParts({ partsMachine }: Watched): Rule {
  return {
    id: 'PartsFailed',
    metric: new MathExpression({
      expression: 'failed + aborted + late',
      usingMetrics: {
        failed: partsMachine.metricFailed({ period }),
        aborted: partsMachine.metricAborted({ period }),
        late: partsMachine.metricTimedOut({ period }),
      },
      period,
    }),
    threshold: 0,
    description:
      'A job over a large dataset waits for its next slice, which the state machine did not send.',
  };
}

function ruleOfSchedules({ scheduleGroup }: Watched): Rule {
  return {
    id: 'SchedulesFailed',
    metric: new Metric({
      namespace: 'AWS/Scheduler',
      metricName: 'TargetErrorCount',
      dimensionsMap: { ScheduleGroup: scheduleGroup.scheduleGroupName },
      statistic: 'Sum',
      period,
    }),
    threshold: 0,
    description: 'A schedule could not send its job, or start what sends default labels.',
  };
}
