import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { S3Client } from '@aws-sdk/client-s3';
import { SQSClient } from '@aws-sdk/client-sqs';
import * as z from 'zod';
import { reasonOf } from '../../lib/errors.ts';
import {
  addressFromEnvironment,
  environmentOf,
  type StackAddress,
} from '../../lib/ports/address.ts';
import {
  controlsOf,
  type EmulatorControls,
  startEmulator,
  stopEmulator,
} from './emulator-process.ts';
import { environmentOfAws, environmentOfStack } from './environment.ts';
import { type EventSource, pollQueue } from './event-source.ts';
import type { FunctionHost } from './function-host.ts';
import { environmentOfCommands, type Hosted, hostFunctions } from './functions.ts';
import { keepPorts, portsBefore } from './kept-ports.ts';
import { type LambdaEndpoint, serveFunctions } from './lambda-endpoint.ts';
import { provision } from './provision.ts';
import { runSchedule, sendInput } from './scheduler.ts';
import {
  arnOfMachine,
  runStateMachines,
  type StateMachines,
  type TaskServices,
} from './state-machines.ts';
import {
  local,
  type Physical,
  type Resource,
  readTemplate,
  resolve,
  resolveProperties,
  resourcesOf,
  type Template,
} from './template.ts';

/** The synthesized stack, running on this machine. */
export type LocalCloud = EmulatorControls & {
  readonly address: StackAddress;
  /** Where S3 and SQS answer. */
  readonly endpoint: string;
  /** What a program needs in its environment to reach the stack, as a deployed one. */
  readonly environment: Readonly<Record<string, string>>;
  readonly s3: S3Client;
  readonly sqs: SQSClient;
  /** URLs of the dead-letter queues, by the logical id of their queue. */
  readonly deadLetterUrls: Readonly<Record<string, string>>;
  /** Functions by name (`online-update`, `batch-train`). */
  readonly functions: ReadonlyMap<string, FunctionHost>;
  /** Deliveries that failed, so that messages were delivered again. */
  readonly failedDeliveries: () => number;
  /** Lets invocations under way finish, then stops everything. */
  readonly stop: () => Promise<void>;
  /** For tests: stops everything at once, as a power cut would. */
  readonly crash: () => Promise<void>;
};

const mappingSchema = z.object({
  BatchSize: z.number(),
  EventSourceArn: z.string(),
  FunctionName: z.string(),
  FunctionResponseTypes: z.array(z.string()).default([]),
});

const scheduleSchema = z.object({
  ScheduleExpression: z.string(),
  timeZone: z.string(),
  Target: z.object({ Arn: z.string(), Input: z.string().optional() }),
});

/** How a local cloud differs from another. */
export type LocalSettings = {
  /** By which visibility timeouts are shorter than on AWS, for tests; 1 unless given. */
  readonly visibilityFactor?: number;
  /** Told what the functions log as a warning or an error, and what they throw. */
  readonly onProblem?: (problem: string) => void;
  /** What the functions find in their environment besides, for tests. */
  readonly environment?: Readonly<Record<string, string>>;
  /** Told what they did: a delivery that was settled, a slice of a job. */
  readonly onDone?: (done: string) => void;
};

/**
 * Runs a synthesized stack on this machine: S3 and SQS emulated on loopback, each function from its
 * bundled asset in a process of its own, its queues polled, its schedules kept.
 *
 * @param assembly the folder that `cdk synth` wrote
 * @param dataDirectory where everything is kept between runs
 */
export async function startLocalCloud(
  assembly: string,
  dataDirectory: string,
  {
    visibilityFactor = 1,
    onProblem = () => undefined,
    onDone = () => undefined,
    environment = {},
  }: LocalSettings = {},
): Promise<LocalCloud> {
  const logs = join(dataDirectory, 'logs');
  mkdirSync(logs, { recursive: true });
  const template = readTemplate(assembly);
  const wanted = portsBefore(dataDirectory);
  const cloudDirectory = join(dataDirectory, 'cloud');
  const { emulator, port } = await startEmulator(cloudDirectory, visibilityFactor, wanted.storage);
  const { s3, sqs, awsEnvironment } = clientsOf(port);
  const provisioned = await provision(template, dataDirectory, { s3, sqs });
  const physical = new Map(atEndpoint(provisioned, awsEnvironment.AWS_ENDPOINT_URL));
  for (const { logicalId } of resourcesOf(template, 'AWS::StepFunctions::StateMachine'))
    physical.set(logicalId, { '': arnOfMachine(logicalId) });

  const hosts = new Map<string, FunctionHost>();
  const start: StateMachines['start'] = (execution) => machines.start(execution);
  const endpoint = await serveFunctions(hosts, { logFolder: logs, start, port: wanted.functions });
  keepPorts(dataDirectory, { storage: port, functions: endpoint.port });
  const ofFunctions = { ...awsEnvironment, AWS_ENDPOINT_URL_SFN: endpoint.url, ...environment };
  const hosting = { assembly, logs, awsEnvironment: ofFunctions, onProblem, onDone };
  const functions = hostFunctions(template, physical, hosting);
  for (const [id, { host }] of functions) {
    physical.set(id, { '': id, Arn: id });
    hosts.set(host.name, host);
  }
  const byArn = new Map([...functions].map(([id, { host }]) => [id, host]));
  const services = { s3, sqs, functions: byArn, onProblem };
  const executions = join(dataDirectory, 'executions');
  const machines = runStateMachines(template, physical, executions, services);
  const sources = resourcesOf(template, 'AWS::Lambda::EventSourceMapping').map((resource) =>
    connect(sqs, resource, physical, functions),
  );
  const schedules = keepSchedules(template, physical, services);

  const [first] = functions.values();
  const address = addressFromEnvironment(first?.variables ?? {});
  const work = { schedules, sources, functions, clients: [s3, sqs], endpoint, machines };
  return {
    address,
    endpoint: awsEnvironment.AWS_ENDPOINT_URL,
    environment: {
      ...awsEnvironment,
      ...environmentOf(address),
      ...environmentOfCommands(functions),
      ...environmentOfStack(endpoint, hosts, template, physical),
    },
    s3,
    sqs,
    deadLetterUrls: deadLetterUrls(template, physical),
    functions: hosts,
    failedDeliveries: () => sources.reduce((sum, source) => sum + source.failures(), 0),
    ...controlsOf(emulator),
    async stop() {
      await stopWork(work);
      await stopEmulator(emulator, 'SIGTERM');
    },
    async crash() {
      for (const { host } of functions.values()) host.kill();
      const stopped = stopWork(work);
      emulator.removeAllListeners('exit');
      await stopEmulator(emulator, 'SIGKILL');
      await stopped;
    },
  };
}

/** What asks the emulator at a port. */
function clientsOf(port: number) {
  const settings = {
    region: local.region,
    endpoint: `http://127.0.0.1:${port}`,
    credentials: { accessKeyId: 'local', secretAccessKey: 'local' },
  };
  return {
    s3: new S3Client(settings),
    // (Over loopback, no body needs to be hashed to be trusted.)
    sqs: new SQSClient({ ...settings, md5: false }),
    awsEnvironment: environmentOfAws(settings),
  };
}

/** The emulator's port may be another in each run, and so the URLs of its queues. */
function atEndpoint(physical: Physical, endpoint: string): Physical {
  return new Map(
    [...physical].map(([id, attributes]) => {
      const url = attributes['']?.replace(/^http:\/\/[^/]+/, endpoint) ?? '';
      return [id, { ...attributes, '': url }];
    }),
  );
}

/**
 * Stops the schedules, the event sources and the functions. The emulator is stopped by the caller.
 */
async function stopWork(work: {
  readonly schedules: readonly (() => void)[];
  readonly sources: readonly EventSource[];
  readonly functions: ReadonlyMap<string, Hosted>;
  readonly clients: readonly { readonly destroy: () => void }[];
  readonly endpoint: LambdaEndpoint;
  readonly machines: StateMachines;
}): Promise<void> {
  for (const stopSchedule of work.schedules) stopSchedule();
  work.machines.stop();
  await work.endpoint.stop();
  await Promise.all(work.sources.map((source) => source.stop()));
  await Promise.all([...work.functions.values()].map(({ host }) => host.stop()));
  for (const client of work.clients) client.destroy();
}

function connect(
  sqs: SQSClient,
  resource: Resource,
  physical: Physical,
  functions: ReadonlyMap<string, { readonly host: FunctionHost }>,
): EventSource {
  const mapping = mappingSchema.parse(resolveProperties(resource, physical));
  const host = functions.get(mapping.FunctionName)?.host;
  const queue = [...physical.values()].find(({ Arn }) => Arn === mapping.EventSourceArn);
  if (host === undefined || queue === undefined)
    throw new Error(`${resource.logicalId} connects nothing`);
  return pollQueue(
    sqs,
    {
      queueUrl: queue[''] ?? '',
      queueArn: mapping.EventSourceArn,
      batchSize: mapping.BatchSize,
      reportsFailures: mapping.FunctionResponseTypes.includes('ReportBatchItemFailures'),
    },
    host,
  );
}

/** Runs the template's schedules; each answer stops one. */
function keepSchedules(
  template: Template,
  physical: Physical,
  { sqs, functions, onProblem }: TaskServices,
): (() => void)[] {
  return resourcesOf(template, 'AWS::Scheduler::Schedule').map(({ Properties }) => {
    const { ScheduleExpression, ScheduleExpressionTimezone: timeZone = 'UTC', Target } = Properties;
    const { Arn, Input } = Target as { Arn: unknown; Input?: unknown };
    const used = { ScheduleExpression, timeZone, Target: { Arn, ...(Input ? { Input } : {}) } };
    const { Target: target, ...due } = scheduleSchema.parse(resolve(used, physical));
    const host = functions.get(target.Arn);
    const run = host ? () => host.invoke({}) : () => sendInput(sqs, target.Input ?? '');
    const onFailure = (error: unknown) =>
      onProblem(`the schedule ${due.ScheduleExpression} failed: ${reasonOf(error)}`);
    return runSchedule(due, run, onFailure);
  });
}

function deadLetterUrls(template: Template, physical: Physical): Record<string, string> {
  return Object.fromEntries(
    resourcesOf(template, 'AWS::SQS::Queue').flatMap(({ logicalId, Properties }) => {
      const policy = resolve(Properties.RedrivePolicy, physical) as
        | { deadLetterTargetArn?: string }
        | undefined;
      const deadLetters = [...physical.values()].find(
        ({ Arn }) => Arn === policy?.deadLetterTargetArn,
      );
      return policy === undefined ? [] : [[logicalId, deadLetters?.[''] ?? '']];
    }),
  );
}
