import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { parseEnv } from 'node:util';
import { invalid, reasonOf } from '../errors.ts';
import { environmentNames } from './address.ts';

/** Variables of an environment. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** Where the local stack writes how it is reached, below the project's folder. */
const localFile = '.millrace/local.env';

/**
 * What an environment needs besides to reach a stack: the deployed one of a name, read from its
 * outputs; or the one that the environment names already; or the local one, if it runs.
 *
 * @param name of a deployed stack
 * @throws MillraceError kind `invalid` if there is none
 */
export async function stackEnvironment(
  name: string | undefined,
  environment: Environment,
): Promise<Environment> {
  if (name !== undefined) return outputsOf(name);
  if ((environment[environmentNames.bucket] ?? '') !== '') return {};
  const local = await localEnvironment();
  if (local !== undefined) return local;
  throw invalid(
    'no stack: run `npx millrace local` here, or name a deployed one with --stack <name>, or set ' +
      `${environmentNames.bucket} and the other variables of a stack`,
  );
}

/** The local stack's, if it runs. */
async function localEnvironment(): Promise<Environment | undefined> {
  const text = await readAbove(process.cwd());
  if (text === undefined) return undefined;
  const local = parseEnv(text);
  const isAlive = await fetch(local.AWS_ENDPOINT_URL ?? '').then(
    () => true,
    () => false,
  );
  return isAlive ? local : undefined;
}

/** The file in a folder, or in the nearest one above that has it. */
async function readAbove(folder: string): Promise<string | undefined> {
  const text = await readFile(join(folder, localFile), 'utf8').catch(() => undefined);
  const above = dirname(folder);
  return text ?? (above === folder ? undefined : readAbove(above));
}

/** Which variable each output of the construct stands for. */
const outputs: Readonly<Record<string, string>> = {
  BucketName: environmentNames.bucket,
  SamplesQueueUrl: environmentNames.samplesQueueUrl,
  JobsQueueUrl: environmentNames.jobsQueueUrl,
  CommandsQueueUrl: environmentNames.commandsQueueUrl,
  CommandSenders: environmentNames.commandSenders,
  PredictFunction: environmentNames.predictFunction,
  PredictUrl: environmentNames.predictUrl,
  LogGroups: environmentNames.logGroups,
  VerifyMachineArn: environmentNames.verifyMachine,
  SweepMachineArn: environmentNames.sweepMachine,
};

/** Outputs that stacks of 0.4 did not have, or of 0.17; and one that some leave out. */
const lateOutputs: ReadonlySet<string> = new Set([
  environmentNames.predictUrl,
  environmentNames.logGroups,
  environmentNames.verifyMachine,
  environmentNames.sweepMachine,
]);

async function outputsOf(name: string): Promise<Environment> {
  const { CloudFormationClient, DescribeStacksCommand } = await import(
    '@aws-sdk/client-cloudformation'
  );
  const client = new CloudFormationClient();
  const described = await client
    .send(new DescribeStacksCommand({ StackName: name }))
    .catch((cause: unknown) => {
      throw invalid(`--stack: ${name} cannot be described: ${reasonOf(cause)}`, cause);
    });
  const constructs = [...byConstruct(described.Stacks?.[0]?.Outputs ?? [])];
  const missingOf = (found: Environment) =>
    Object.values(outputs).filter(
      (variable) => found[variable] === undefined && !lateOutputs.has(variable),
    );
  // (Whatever else is in the stack may have outputs of such names.)
  const whole = constructs.filter(([, found]) => missingOf(found).length === 0);
  const [only] = whole;
  if (only !== undefined && whole.length === 1) return only[1];
  if (whole.length > 1) {
    const paths = whole.map(([path]) => path).join(' and ');
    throw invalid(
      `--stack: ${name} has ${whole.length} Millrace constructs (${paths}); set ` +
        `${environmentNames.bucket} and the other variables to the outputs of one of them`,
    );
  }
  const missing = constructs.map(([, found]) => missingOf(found));
  const [least = missingOf({})] = missing.sort((a, b) => a.length - b.length);
  throw invalid(`--stack: ${name} has no output for ${least.join(', ')}; is it a Millrace of 0.4?`);
}

/** The variables that outputs of a stack stand for, by the path of the construct that has them. */
function byConstruct(
  all: readonly { readonly OutputKey?: string; readonly OutputValue?: string }[],
): ReadonlyMap<string, Environment> {
  const constructs = new Map<string, Record<string, string>>();
  for (const { OutputKey = '', OutputValue = '' } of all) {
    // CloudFormation's names are the construct's path, the output and a hash.
    const path = OutputKey.replace(/[0-9A-F]{8}$/, '');
    const [output, variable] = Object.entries(outputs).find(([end]) => path.endsWith(end)) ?? [];
    if (output === undefined || variable === undefined) continue;
    const construct = path.slice(0, -output.length);
    constructs.set(construct, { ...constructs.get(construct), [variable]: OutputValue });
  }
  return constructs;
}
