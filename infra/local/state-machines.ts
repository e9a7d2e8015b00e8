import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import type { S3Client } from '@aws-sdk/client-s3';
import { GetObjectCommand } from '@aws-sdk/client-s3';
import { SendMessageCommand, type SQSClient } from '@aws-sdk/client-sqs';
import type { StateMachine as Interpreter } from 'aws-local-stepfunctions';
import * as z from 'zod';
import { reasonOf } from '../../lib/errors.ts';
import { jsonIfAny } from '../../lib/parse.ts';
import type { FunctionHost } from './function-host.ts';
import { local, type Physical, resolve, resourcesOf, type Template } from './template.ts';

/** What an execution of a state machine is started with. */
export const executionSchema = z.object({
  stateMachineArn: z.string(),
  name: z.string().regex(/^[\w-]{1,80}$/),
  input: z.string(),
});

/** An execution of a state machine. */
export type Execution = z.output<typeof executionSchema>;

/** The template's state machines. */
export type StateMachines = {
  /** Starts an execution. @returns its ARN; undefined if there was one of its name before */
  readonly start: (execution: Execution) => string | undefined;
  /** Leaves what is under way to the next run of the stack. */
  readonly stop: () => void;
};

/** What the tasks of state machines work with. */
export type TaskServices = {
  readonly s3: S3Client;
  readonly sqs: SQSClient;
  /** Functions by their ARN. */
  readonly functions: ReadonlyMap<string, FunctionHost>;
  readonly onProblem: (problem: string) => void;
};

/** The ARN of a state machine of the local cloud. */
export function arnOfMachine(logicalId: string): string {
  return `arn:aws:states:${local.region}:${local.account}:stateMachine:${logicalId}`;
}

/**
 * Runs the template's state machines. Executions are kept in a folder, so that those under way when
 * the machine stops are run again: what they did before, they find done.
 */
export function runStateMachines(
  template: Template,
  physical: Physical,
  folder: string,
  services: TaskServices,
): StateMachines {
  const definitions = new Map(
    resourcesOf(template, 'AWS::StepFunctions::StateMachine').map(({ logicalId, Properties }) => [
      arnOfMachine(logicalId),
      definitionSchema.parse(JSON.parse(String(resolve(Properties.DefinitionString, physical)))),
    ]),
  );
  mkdirSync(folder, { recursive: true });
  const aborts = new Set<() => void>();
  const run = async (execution: Execution) => {
    const stopped = new AbortController();
    const abort = () => stopped.abort();
    aborts.add(abort);
    try {
      const definition = definitions.get(execution.stateMachineArn);
      if (definition === undefined) throw new Error(`there is no ${execution.stateMachineArn}`);
      await interpret(definition, JSON.parse(execution.input), services, stopped.signal);
      keep(folder, { ...execution, isDone: true });
    } catch (error) {
      if (stopped.signal.aborted) return;
      services.onProblem(`${execution.name}: ${reasonOf(error)}`);
    } finally {
      aborts.delete(abort);
    }
  };
  for (const file of readdirSync(folder)) {
    const kept = keptSchema.safeParse(jsonIfAny(readFileSync(join(folder, file), 'utf8'))).data;
    if (kept?.isDone === false) void run(kept);
  }
  return {
    start(execution) {
      if (existsSync(fileOf(folder, execution))) return undefined;
      keep(folder, { ...execution, isDone: false });
      void run(execution);
      return `${execution.stateMachineArn.replace('stateMachine', 'execution')}:${execution.name}`;
    },
    stop: () => {
      for (const abort of aborts) abort();
    },
  };
}

const keptSchema = executionSchema.extend({ isDone: z.boolean() });

function fileOf(folder: string, { name }: Pick<Execution, 'name'>): string {
  return join(folder, `${name}.json`);
}

function keep(folder: string, execution: z.output<typeof keptSchema>): void {
  const file = fileOf(folder, execution);
  writeFileSync(`${file}.new`, `${JSON.stringify(execution)}\n`);
  renameSync(`${file}.new`, file);
}

/** A definition in the Amazon States Language, as far as this machine has to know it. */
type Definition = { StartAt: string; States: Record<string, State> };

type State = {
  Type: string;
  Resource?: string | undefined;
  ItemReader?: { Parameters: { Bucket: string; 'Key.$': string } } | undefined;
  ItemsPath?: string | undefined;
  ItemProcessor?: Definition | undefined;
  ToleratedFailurePercentage?: number | undefined;
  Catch?: unknown;
};

const stateSchema: z.ZodType<State> = z.looseObject({
  Type: z.string(),
  Resource: z.string().optional(),
  ItemReader: z
    .looseObject({ Parameters: z.looseObject({ Bucket: z.string(), 'Key.$': z.string() }) })
    .optional(),
  ItemsPath: z.string().optional(),
  get ItemProcessor() {
    return definitionSchema.optional();
  },
  ToleratedFailurePercentage: z.number().optional(),
});

const definitionSchema: z.ZodType<Definition> = z.looseObject({
  StartAt: z.string(),
  States: z.record(z.string(), stateSchema),
});

/** The same, as the interpreter names it. */
const machineSchema = z.custom<ConstructorParameters<typeof Interpreter>[0]>(
  (value) => definitionSchema.safeParse(value).success,
);

/** Where the items are handed in that a distributed map would read. */
const itemsOf = (state: string) => `itemsOf${state}`;

/**
 * Runs a definition. The interpreter knows neither readers of items, which are handed in, nor
 * tolerated failures, which are caught.
 */
async function interpret(
  definition: Definition,
  input: Record<string, unknown>,
  services: TaskServices,
  signal: AbortSignal,
): Promise<void> {
  const own = structuredClone(definition);
  const handedIn: Record<string, unknown> = { ...input };
  for (const [name, state] of Object.entries(own.States)) {
    if (state.ItemReader === undefined) continue;
    handedIn[itemsOf(name)] = await readItems(services.s3, state.ItemReader, input);
    delete state.ItemReader;
    state.ItemsPath = `$.${itemsOf(name)}`;
    if (state.ToleratedFailurePercentage === 100 && state.ItemProcessor !== undefined)
      tolerateFailures(state.ItemProcessor);
  }
  const { StateMachine } = await import('aws-local-stepfunctions');
  const machine = new StateMachine(machineSchema.parse(own), {
    validationOptions: { noValidate: true },
  });
  const { result, abort } = machine.run(handedIn as Json, {
    overrides: {
      taskResourceLocalHandlers: handlersOf(own, services, signal),
    },
  });
  signal.addEventListener('abort', abort, { once: true });
  await result;
}

async function readItems(
  s3: S3Client,
  { Parameters }: NonNullable<State['ItemReader']>,
  input: Record<string, unknown>,
): Promise<unknown> {
  const Key = String(input[Parameters['Key.$'].replace(/^\$\./, '')]);
  const { Body } = await s3.send(new GetObjectCommand({ Bucket: Parameters.Bucket, Key }));
  return JSON.parse((await Body?.transformToString()) ?? 'null');
}

function tolerateFailures({ States }: Definition): void {
  const failed = 'Tolerated';
  for (const state of Object.values(States))
    if (state.Type === 'Task') state.Catch = [{ ErrorEquals: ['States.ALL'], Next: failed }];
  States[failed] = { Type: 'Succeed' };
}

/** What states of the interpreter pass on. */
type Json = Parameters<Interpreter['run']>[0];

type Handler = (input: Json) => Promise<Json>;

/** What the tasks of a definition do, by the names of their states. */
function handlersOf(
  { States }: Definition,
  services: TaskServices,
  signal: AbortSignal,
): Record<string, Handler> {
  const handlers: Record<string, Handler> = {};
  for (const [name, state] of Object.entries(States)) {
    if (state.ItemProcessor !== undefined)
      Object.assign(handlers, handlersOf(state.ItemProcessor, services, signal));
    if (state.Resource === undefined) continue;
    const task = tasks[state.Resource.replace(/^arn:[^:]+:states:::/, '')];
    if (task === undefined) throw new Error(`${state.Resource} does not run on this machine`);
    handlers[name] = async (input) => {
      signal.throwIfAborted();
      return task(services, input);
    };
  }
  return handlers;
}

const invokeSchema = z.object({ FunctionName: z.string(), Payload: z.unknown() });
const sendSchema = z.object({
  QueueUrl: z.string(),
  MessageBody: z.string(),
  MessageGroupId: z.string(),
  MessageDeduplicationId: z.string(),
});

/** The integrations with other services that the template uses. */
const tasks: Readonly<Record<string, (services: TaskServices, input: Json) => Promise<Json>>> = {
  async 'lambda:invoke'({ functions }, input) {
    const { FunctionName, Payload } = invokeSchema.parse(input);
    const host = functions.get(FunctionName);
    if (host === undefined) throw new Error(`there is no function ${FunctionName}`);
    return { Payload: (await host.invoke(Payload)) as Json };
  },
  async 'sqs:sendMessage'({ sqs }, input) {
    const { MessageId } = await sqs.send(new SendMessageCommand(sendSchema.parse(input)));
    return { MessageId: MessageId ?? null };
  },
};
