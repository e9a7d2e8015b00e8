import { Duration, RemovalPolicy } from 'aws-cdk-lib';
import type { PolicyStatement } from 'aws-cdk-lib/aws-iam';
import type { Function as LambdaFunction } from 'aws-cdk-lib/aws-lambda';
import { LogGroup, type RetentionDays } from 'aws-cdk-lib/aws-logs';
import type { IBucket } from 'aws-cdk-lib/aws-s3';
import type { Queue } from 'aws-cdk-lib/aws-sqs';
import {
  Choice,
  Condition,
  DefinitionBody,
  DistributedMap,
  JsonPath,
  LogLevel,
  ProcessorMode,
  ProcessorType,
  S3JsonItemReader,
  StateMachine,
  StateMachineType,
  Succeed,
  TaskInput,
} from 'aws-cdk-lib/aws-stepfunctions';
import { LambdaInvoke, SqsSendMessage } from 'aws-cdk-lib/aws-stepfunctions-tasks';
import type { Construct } from 'constructs';
import { allow } from './bucket.ts';

/** What the parts of large datasets are prepared with. */
export type PartsMachineSettings = {
  readonly bucket: IBucket;
  readonly jobsQueue: Queue;
  readonly preparePart: LambdaFunction;
  /** Parts that are prepared at once, of each dataset. */
  readonly maxConcurrency: number;
  readonly logRetention: RetentionDays;
  readonly isTraced: boolean;
};

/** Who may read is said with all else that may: the CDK's own would read the whole bucket. */
class PlanReader extends S3JsonItemReader {
  override providePolicyStatements(): PolicyStatement[] {
    return [];
  }
}

/**
 * The state machine that prepares the parts of a large dataset side by side, each in as many
 * invocations as it takes, and then sends the job's next slice. That one looks for what is missing:
 * a part that failed for good stops none of the others.
 */
export function createPartsMachine(
  scope: Construct,
  { bucket, jobsQueue, preparePart, maxConcurrency, logRetention, isTraced }: PartsMachineSettings,
): StateMachine {
  const prepare = new LambdaInvoke(scope, 'PreparePart', {
    lambdaFunction: preparePart,
    payload: TaskInput.fromJsonPathAt('$.request'),
    resultSelector: { isDone: JsonPath.objectAt('$.Payload.isDone') },
    resultPath: '$.prepared',
    retryOnServiceExceptions: false,
  }).addRetry({
    errors: ['States.ALL'],
    interval: Duration.seconds(5),
    maxAttempts: 6,
    backoffRate: 2,
    maxDelay: Duration.minutes(2),
  });
  const isDone = new Choice(scope, 'IsPartDone')
    .when(
      Condition.booleanEquals('$.prepared.isDone', true),
      new Succeed(scope, 'PartDone', {
        // The machine takes no more than 256 KiB of all that its parts say.
        outputPath: JsonPath.DISCARD,
      }),
    )
    .otherwise(prepare);
  const allParts = new DistributedMap(scope, 'PrepareParts', {
    label: 'Parts',
    maxConcurrency,
    itemReader: new PlanReader({ bucket, key: JsonPath.stringAt('$.plan') }),
    itemSelector: {
      request: {
        model: JsonPath.stringAt('$.model'),
        job: JsonPath.stringAt('$.job'),
        plan: JsonPath.stringAt('$.plan'),
        part: JsonPath.objectAt('$$.Map.Item.Value'),
      },
    },
    toleratedFailurePercentage: 100,
    mapExecutionType: StateMachineType.STANDARD,
    resultPath: JsonPath.DISCARD,
  }).itemProcessor(prepare.next(isDone), {
    mode: ProcessorMode.DISTRIBUTED,
    executionType: ProcessorType.STANDARD,
  });
  const sendNext = new SqsSendMessage(scope, 'SendNextSlice', {
    queue: jobsQueue,
    messageBody: TaskInput.fromJsonPathAt('$.next.body'),
    messageGroupId: JsonPath.stringAt('$.next.group'),
    messageDeduplicationId: JsonPath.stringAt('$.next.deduplication'),
  }).addRetry({ errors: ['States.ALL'], interval: Duration.seconds(5), maxAttempts: 10 });
  const machine = new StateMachine(scope, 'PartsMachine', {
    definitionBody: DefinitionBody.fromChainable(
      allParts.addCatch(sendNext, { resultPath: JsonPath.DISCARD }).next(sendNext),
    ),
    logs: {
      destination: new LogGroup(scope, 'parts-machine-logs', {
        retention: logRetention,
        removalPolicy: RemovalPolicy.DESTROY,
      }),
      level: LogLevel.ALL,
    },
    tracingEnabled: isTraced,
  });
  allow(machine, bucket, { read: ['prepared/*/parts.json'] });
  return machine;
}
