import { App, Aspects, Duration, Stack } from 'aws-cdk-lib';
import { Annotations, Match } from 'aws-cdk-lib/assertions';
import { ScheduleExpression } from 'aws-cdk-lib/aws-scheduler';
import { Topic } from 'aws-cdk-lib/aws-sns';
import { AwsSolutionsChecks, NagSuppressions } from 'cdk-nag';
import { describe, expect, it } from 'vitest';
import { Millrace } from '../../infra/millrace.ts';

/** Rules of the pack that the stack does not follow, and why. */
const exceptions = [
  {
    id: 'AwsSolutions-S1',
    reason:
      'Server access logs would need a second bucket; whoever audits reads data events of CloudTrail.',
  },
  {
    id: 'AwsSolutions-IAM4',
    reason: 'AWSLambdaBasicExecutionRole: a function writes its own log and nothing else by it.',
  },
  {
    id: 'AwsSolutions-SF2',
    reason: 'The state machine is traced where the functions are, by functionProps.',
  },
  {
    id: 'AwsSolutions-IAM5',
    reason: 'The wildcards are patterns of keys below one bucket; policies.test.ts goes over them.',
  },
];

describe("AWS' own rules for solutions", () => {
  it('are followed, but for exceptions with reasons', () => {
    const app = new App({ context: { 'aws:cdk:bundling-stacks': [] } });
    const stack = new Stack(app, 'Nagged');
    const alarmTopic = Topic.fromTopicArn(stack, 'Topic', 'arn:aws:sns:eu-west-1:1:alarms');
    new Millrace(stack, 'Millrace', {
      alarmTopic,
      schedules: [
        {
          model: 'flights',
          dataset: 'journal',
          schedule: ScheduleExpression.rate(Duration.days(1)),
        },
      ],
    });
    NagSuppressions.addStackSuppressions(stack, exceptions);
    Aspects.of(stack).add(new AwsSolutionsChecks({ verbose: true }));
    const annotations = Annotations.fromStack(stack);
    const anything = Match.stringLikeRegexp('AwsSolutions-.*');
    const found = [
      ...annotations.findError('*', anything),
      ...annotations.findWarning('*', anything),
    ].map(({ id, entry }) => `${id}: ${entry.data}`);
    expect(found).toEqual([]);
  });
});
