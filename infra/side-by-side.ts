import { Annotations, Duration, Names, RemovalPolicy, Stack } from 'aws-cdk-lib';
import type { PolicyStatement } from 'aws-cdk-lib/aws-iam';
import type { Function as LambdaFunction } from 'aws-cdk-lib/aws-lambda';
import { LogGroup, type RetentionDays } from 'aws-cdk-lib/aws-logs';
import type { IBucket } from 'aws-cdk-lib/aws-s3';
import {
  Choice,
  Condition,
  DefinitionBody,
  DistributedMap,
  type IChainable,
  JsonPath,
  LogLevel,
  ProcessorMode,
  ProcessorType,
  S3JsonItemReader,
  StateMachine,
  StateMachineType,
  Succeed,
  TaskInput,
  type TaskStateBase,
} from 'aws-cdk-lib/aws-stepfunctions';
import { LambdaInvoke } from 'aws-cdk-lib/aws-stepfunctions-tasks';
import type { Construct } from 'constructs';

/** What all state machines of a stack work with. */
export type MachineSettings = {
  readonly bucket: IBucket;
  /** Items that are worked on at once, of each execution. */
  readonly maxConcurrency: number;
  readonly logRetention: RetentionDays;
  readonly isTraced: boolean;
};

/** What is worked on side by side, each item in as many invocations as it takes. */
export type SideBySideSettings = Pick<MachineSettings, 'bucket' | 'maxConcurrency'> & {
  readonly worker: LambdaFunction;
};

/** What its states are called. */
export type StateNames = {
  readonly item: string;
  readonly isDone: string;
  readonly done: string;
  readonly all: string;
  readonly label: string;
};

/** Who may read is said with all else that may: the CDK's own would read the whole bucket. */
class PlanReader extends S3JsonItemReader {
  override providePolicyStatements(): PolicyStatement[] {
    return [];
  }
}

/**
 * Invokes a function for each item of the JSON list at `$.plan`, again until it answers that it is
 * done. One that fails for good stops none of the others.
 *
 * @param request what the function is invoked with; `$$.Map.Item.Value` is the item
 */
export function eachSideBySide(
  scope: Construct,
  names: StateNames,
  request: Readonly<Record<string, unknown>>,
  { bucket, worker, maxConcurrency }: SideBySideSettings,
): DistributedMap {
  const invoke = invocationOf(scope, names.item, worker);
  const isDone = new Choice(scope, names.isDone)
    .when(
      Condition.booleanEquals('$.answer.isDone', true),
      new Succeed(scope, names.done, {
        // The machine takes no more than 256 KiB of all that its items say.
        outputPath: JsonPath.DISCARD,
      }),
    )
    .otherwise(invoke);
  const map = new DistributedMap(scope, names.all, {
    label: names.label,
    maxConcurrency,
    itemReader: new PlanReader({ bucket, key: JsonPath.stringAt('$.plan') }),
    itemSelector: { request },
    toleratedFailurePercentage: 100,
    mapExecutionType: StateMachineType.STANDARD,
    resultPath: JsonPath.DISCARD,
  });
  // (CDK refuses a processor without it, and says of one with it that it is not looked at.)
  const processor = { mode: ProcessorMode.DISTRIBUTED, executionType: ProcessorType.STANDARD };
  const ignored = '@aws-cdk/aws-stepfunctions:propertyIgnored';
  Annotations.of(map).acknowledgeWarning(ignored, 'it is that of the map, too');
  return map.itemProcessor(invoke.next(isDone), processor);
}

/** An invocation with `$.request`, tried again after pauses. */
export function invocationOf(scope: Construct, id: string, worker: LambdaFunction): TaskStateBase {
  return new LambdaInvoke(scope, id, {
    lambdaFunction: worker,
    payload: TaskInput.fromJsonPathAt('$.request'),
    resultSelector: { isDone: JsonPath.objectAt('$.Payload.isDone') },
    resultPath: '$.answer',
    retryOnServiceExceptions: false,
  }).addRetry({
    errors: ['States.ALL'],
    interval: Duration.seconds(5),
    maxAttempts: 6,
    backoffRate: 2,
    maxDelay: Duration.minutes(2),
  });
}

/** A name of logs that AWS' own policy lets services write to. */
function vendedName(scope: Construct, logs: string): string {
  const construct = Names.uniqueResourceName(scope, { maxLength: 80, separator: '-' });
  return `/aws/vendedlogs/states/${Stack.of(scope).stackName}-${construct}-${logs}`;
}

/** A state machine that writes down what it does. */
export function loggedMachine(
  scope: Construct,
  names: { readonly machine: string; readonly logs: string },
  definition: IChainable,
  { logRetention, isTraced }: Pick<MachineSettings, 'logRetention' | 'isTraced'>,
): StateMachine {
  return new StateMachine(scope, names.machine, {
    definitionBody: DefinitionBody.fromChainable(definition),
    logs: {
      destination: new LogGroup(scope, names.logs, {
        // (Of others, each takes a place in one policy of the whole region, which is soon full.)
        logGroupName: vendedName(scope, names.logs),
        retention: logRetention,
        removalPolicy: RemovalPolicy.DESTROY,
      }),
      level: LogLevel.ALL,
    },
    tracingEnabled: isTraced,
  });
}
