import { Duration } from 'aws-cdk-lib';
import type { Function as LambdaFunction } from 'aws-cdk-lib/aws-lambda';
import type { Queue } from 'aws-cdk-lib/aws-sqs';
import { JsonPath, type StateMachine, TaskInput } from 'aws-cdk-lib/aws-stepfunctions';
import { SqsSendMessage } from 'aws-cdk-lib/aws-stepfunctions-tasks';
import type { Construct } from 'constructs';
import { allow } from './bucket.ts';
import { eachSideBySide, loggedMachine, type MachineSettings } from './side-by-side.ts';

/** What the parts of large datasets are prepared with. */
export type PartsMachineSettings = MachineSettings & {
  readonly jobsQueue: Queue;
  readonly preparePart: LambdaFunction;
};

/**
 * The state machine that prepares the parts of a large dataset side by side, each in as many
 * invocations as it takes, and then sends the job's next slice. That one looks for what is missing:
 * a part that failed for good stops none of the others.
 */
export function createPartsMachine(
  scope: Construct,
  { bucket, jobsQueue, preparePart: worker, maxConcurrency, ...settings }: PartsMachineSettings,
): StateMachine {
  const names = {
    item: 'PreparePart',
    isDone: 'IsPartDone',
    done: 'PartDone',
    all: 'PrepareParts',
    label: 'Parts',
  };
  const request = {
    model: JsonPath.stringAt('$.model'),
    job: JsonPath.stringAt('$.job'),
    plan: JsonPath.stringAt('$.plan'),
    part: JsonPath.objectAt('$$.Map.Item.Value'),
  };
  const allParts = eachSideBySide(scope, names, request, { bucket, worker, maxConcurrency });
  const sendNext = new SqsSendMessage(scope, 'SendNextSlice', {
    queue: jobsQueue,
    messageBody: TaskInput.fromJsonPathAt('$.next.body'),
    messageGroupId: JsonPath.stringAt('$.next.group'),
    messageDeduplicationId: JsonPath.stringAt('$.next.deduplication'),
  }).addRetry({ errors: ['States.ALL'], interval: Duration.seconds(5), maxAttempts: 10 });
  const machine = loggedMachine(
    scope,
    { machine: 'PartsMachine', logs: 'parts-machine-logs' },
    allParts.addCatch(sendNext, { resultPath: JsonPath.DISCARD }).next(sendNext),
    settings,
  );
  allow(machine, bucket, { read: ['prepared/*/parts.json'] });
  return machine;
}
