import { availableParallelism } from 'node:os';
import { join, resolve as resolvePath } from 'node:path';
import * as z from 'zod';
import { environmentNames } from '../../lib/ports/address.ts';
import { type FunctionHost, hostFunction } from './function-host.ts';
import { poolOf } from './host-pool.ts';
import { functionProgram } from './programs.ts';
import {
  type Physical,
  type Resource,
  resolveProperties,
  resourcesOf,
  type Template,
} from './template.ts';

const functionSchema = z.object({
  Timeout: z.number(),
  MemorySize: z.number(),
  Handler: z.string(),
  Environment: z.object({ Variables: z.record(z.string(), z.string()) }),
});

/** Where the functions' code lies, where they log, and how they reach S3 and SQS. */
export type Hosting = {
  readonly assembly: string;
  readonly logs: string;
  readonly awsEnvironment: Readonly<Record<string, string>>;
  readonly onProblem: (problem: string) => void;
  readonly onDone: (done: string) => void;
};

/** A function's host, and the environment that the template gives it. */
export type Hosted = { readonly host: FunctionHost; readonly variables: Record<string, string> };

/** The template's functions by logical id, each in a process of its own once it is invoked. */
export function hostFunctions(
  template: Template,
  physical: Physical,
  { assembly, logs, awsEnvironment, onProblem, onDone }: Hosting,
): ReadonlyMap<string, Hosted> {
  const functions = new Map<string, Hosted>();
  const program = functionProgram(logs);
  const invokedByMachines = functionsOfMachines(template);
  for (const resource of resourcesOf(template, 'AWS::Lambda::Function')) {
    const { Timeout, MemorySize, Handler, Environment } = functionSchema.parse(
      resolveProperties(resource, physical),
    );
    const variables = Environment.Variables;
    const name = variables.POWERTOOLS_SERVICE_NAME ?? resource.logicalId;
    const asset = String(resource.Metadata['aws:asset:path']);
    const isInvokedAtOnce = invokedByMachines.has(resource.logicalId);
    const settings = {
      name,
      program,
      entry: resolvePath(assembly, asset, `${Handler.split('.')[0]}.mjs`),
      environment: {
        ...variables,
        ...awsEnvironment,
        // The emulator tells senders apart by their keys, as SQS does by their roles.
        AWS_ACCESS_KEY_ID: roleOf(resource),
        AWS_LAMBDA_FUNCTION_NAME: name,
      },
      memoryMebibytes: MemorySize,
      timeoutSeconds: Timeout,
      logFile: join(logs, `${name}.log`),
      onProblem,
      onDone,
    };
    const others = isInvokedAtOnce ? availableParallelism() - 1 : 0;
    const host = poolOf([
      hostFunction(settings),
      ...Array.from({ length: others }, () => hostFunction(settings)),
    ]);
    functions.set(resource.logicalId, { host, variables });
  }
  return functions;
}

/** The functions that state machines invoke, several at once, by logical id. */
function functionsOfMachines(template: Template): ReadonlySet<string> {
  const machines = JSON.stringify(resourcesOf(template, 'AWS::StepFunctions::StateMachine'));
  const all = resourcesOf(template, 'AWS::Lambda::Function').map(({ logicalId }) => logicalId);
  return new Set(all.filter((logicalId) => machines.includes(`"${logicalId}"`)));
}

/** Who may put commands into the samples queue, as the template tells its functions. */
export function environmentOfCommands(
  functions: ReadonlyMap<string, Hosted>,
): Record<string, string> {
  const name = environmentNames.commandSenders;
  const senders = [...functions.values()].map(({ variables }) => variables[name] ?? '').join('');
  return { [name]: senders };
}

const roleSchema = z.object({
  Role: z.object({ 'Fn::GetAtt': z.tuple([z.string(), z.string()]) }),
});

/** The logical id of a function's role. */
function roleOf({ Properties }: Resource): string {
  return roleSchema.parse(Properties).Role['Fn::GetAtt'][0];
}
