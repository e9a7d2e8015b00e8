import { Duration, RemovalPolicy, Stack } from 'aws-cdk-lib';
import {
  type Architecture,
  type Code,
  type FunctionOptions,
  Function as LambdaFunction,
  type RecursiveLoop,
} from 'aws-cdk-lib/aws-lambda';
import { LogGroup, type RetentionDays } from 'aws-cdk-lib/aws-logs';
import type { Construct } from 'constructs';
import { limits } from '../lib/limits.ts';
import { environmentNames } from '../lib/ports/address.ts';
import { runtime } from './functions-code.ts';

/** The first construct of each stack that asked for its namespace. */
const firsts = new WeakMap<Stack, Construct>();

/** The namespace of the metrics of a construct's functions: that of its stack for the first one. */
export function namespaceOf(scope: Construct): string {
  const stack = Stack.of(scope);
  const first = firsts.get(stack) ?? scope;
  firsts.set(stack, first);
  return `Millrace/${stack.stackName}${first === scope ? '' : `/${scope.node.addr}`}`;
}

/** Settings of one function. */
export type FunctionSettings = {
  readonly timeoutSeconds: number;
  readonly memoryMebibytes: number;
  readonly environment: Record<string, string>;
  readonly recursiveLoop?: RecursiveLoop;
};

/** What all functions of a stack share. */
export type SharedSettings = {
  readonly code: Code;
  readonly architecture: Architecture;
  readonly logRetention: RetentionDays;
  /** Settings beside the construct's own, which win. */
  readonly options: FunctionOptions;
};

/** The function of `functions/<name>.ts`. */
export function createFunction(
  scope: Construct,
  name: string,
  { code, architecture, logRetention, options }: SharedSettings,
  settings: FunctionSettings,
): LambdaFunction {
  return new LambdaFunction(scope, name, {
    ...options,
    code,
    handler: `${name}.handler`,
    runtime,
    architecture,
    timeout: Duration.seconds(settings.timeoutSeconds),
    memorySize: settings.memoryMebibytes,
    environment: {
      ...options.environment,
      ...settings.environment,
      [environmentNames.threads]: String(
        Math.max(1, Math.floor(settings.memoryMebibytes / limits.processorMebibytes)),
      ),
      POWERTOOLS_SERVICE_NAME: name,
      POWERTOOLS_METRICS_NAMESPACE: namespaceOf(scope),
    },
    ...(settings.recursiveLoop === undefined ? {} : { recursiveLoop: settings.recursiveLoop }),
    logGroup: new LogGroup(scope, `${name}-logs`, {
      retention: logRetention,
      removalPolicy: RemovalPolicy.DESTROY,
    }),
  });
}
