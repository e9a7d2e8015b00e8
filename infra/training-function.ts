import { fileURLToPath } from 'node:url';
import { Duration, RemovalPolicy, Stack } from 'aws-cdk-lib';
import { Architecture, type RecursiveLoop, Runtime } from 'aws-cdk-lib/aws-lambda';
import { NodejsFunction, OutputFormat } from 'aws-cdk-lib/aws-lambda-nodejs';
import { LogGroup, RetentionDays } from 'aws-cdk-lib/aws-logs';
import type { Construct } from 'constructs';
import { limits } from '../lib/limits.ts';
import { environmentNames } from '../lib/ports/aws.ts';

/** The namespace of the metrics of a stack's functions. */
export function namespaceOf(scope: Construct): string {
  return `Millrace/${Stack.of(scope).stackName}`;
}

/** Settings of one function. */
export type FunctionSettings = {
  readonly timeoutSeconds: number;
  readonly memoryMebibytes: number;
  readonly environment: Record<string, string>;
  readonly recursiveLoop?: RecursiveLoop;
};

/** A function from `functions/<name>.ts`, bundled with all it needs. */
export function createFunction(
  scope: Construct,
  name: string,
  settings: FunctionSettings,
): NodejsFunction {
  const bundleRuntime = fileURLToPath(new URL('./bundle-runtime.ts', import.meta.url));
  // Lambda's own, and this machine's where the functions run on it.
  const platforms = new Set([
    'linux/x64',
    ...(scope.node.tryGetContext('millrace:local') === undefined
      ? []
      : [`${process.platform}/${process.arch}`]),
  ]);
  return new NodejsFunction(scope, name, {
    entry: fileURLToPath(new URL(`../functions/${name}.ts`, import.meta.url)),
    runtime: Runtime.NODEJS_24_X,
    architecture: Architecture.X86_64,
    timeout: Duration.seconds(settings.timeoutSeconds),
    memorySize: settings.memoryMebibytes,
    environment: {
      ...settings.environment,
      [environmentNames.threads]: String(
        Math.max(1, Math.floor(settings.memoryMebibytes / limits.processorMebibytes)),
      ),
      POWERTOOLS_SERVICE_NAME: name,
      POWERTOOLS_METRICS_NAMESPACE: namespaceOf(scope),
    },
    ...(settings.recursiveLoop === undefined ? {} : { recursiveLoop: settings.recursiveLoop }),
    logGroup: new LogGroup(scope, `${name}-logs`, {
      retention: RetentionDays.ONE_MONTH,
      removalPolicy: RemovalPolicy.DESTROY,
    }),
    bundling: {
      format: OutputFormat.ESM,
      target: 'node24',
      // tfjs' CommonJS build is ES5, which V8 runs a third slower than its ES modules.
      mainFields: ['module', 'main'],
      externalModules: ['onnxruntime-node'],
      commandHooks: {
        beforeBundling: () => [],
        beforeInstall: () => [],
        afterBundling: (_input, output) => [
          `node ${JSON.stringify(bundleRuntime)} ${JSON.stringify(output)} ${[...platforms].join(' ')}`,
        ],
      },
      minify: true,
      banner:
        "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);",
    },
  });
}
