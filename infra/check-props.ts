import { Size, SizeRoundingBehavior, Token } from 'aws-cdk-lib';
import { Architecture } from 'aws-cdk-lib/aws-lambda';
import { RetentionDays } from 'aws-cdk-lib/aws-logs';
import { invalid } from '../lib/errors.ts';
import { isRecord, show } from '../lib/parse.ts';

/** The least and the most of a setting. */
type Bounds = readonly [least: number, most: number];

const names = [
  ...['schedules', 'bucket', 'encryptionKey', 'alarmTopic', 'architecture', 'logRetention'],
  ...['memory', 'jobConcurrency', 'preparation', 'functionProps', 'predictUrl'],
] as const;

/** Settings of the construct, as programs without types may give them. */
type GivenProps = Readonly<Partial<Record<(typeof names)[number], unknown>>>;

/** Settings of functions that one value for all of them would break, and what to do instead. */
const ownSettings: Readonly<Record<string, string>> = {
  functionName: 'one name cannot be that of all functions; leave it out',
  memorySize: 'say `memory` of the construct',
  logRetention: 'say `logRetention` of the construct',
  logGroup: 'each function has its own; say `logRetention` of the construct',
  timeout: 'each function has its own; leave it out',
  role: 'each function has its own, by which others know it; grant it what it lacks instead',
  architecture: 'say `architecture` of the construct',
  logRemovalPolicy: 'logs go with the stack; leave it out',
  runtime: 'it is that of the code; leave it out',
  code: 'each function has its own; leave it out',
  handler: 'each function has its own; leave it out',
  events: 'all functions would take them; each has its own, so leave it out',
  reservedConcurrentExecutions: 'all functions would have as many; say `jobConcurrency` for jobs',
};

const architectures = [Architecture.ARM_64, Architecture.X86_64].map(({ name }) => name);
const retentions = Object.values(RetentionDays).filter((days) => typeof days === 'number');

/**
 * Holds settings to what AWS Lambda, SQS and Step Functions allow, and what a function has the time
 * for: some of them are taken for no bound at all where they are out of range, and others for
 * nothing where they are of another kind.
 *
 * @throws MillraceError kind `invalid` that names each setting, what is allowed and what was found
 */
export function checkProps(props: GivenProps): void {
  if (!isRecord(props)) throw invalid(`Millrace: props must be an object (found ${show(props)})`);
  const { memory, jobConcurrency, preparation = {}, functionProps = {} } = props;
  const { partSize, maxConcurrency, ...others } = isRecord(preparation) ? preparation : {};
  const problems = [
    unknownProblem('props', props, names),
    constructProblem('bucket', props.bucket, 'bucketArn'),
    constructProblem('encryptionKey', props.encryptionKey, 'keyArn'),
    aliasProblem('encryptionKey', props.encryptionKey),
    aliasProblem(
      'bucket.encryptionKey',
      isRecord(props.bucket) ? props.bucket.encryptionKey : undefined,
    ),
    flagProblem('predictUrl', props.predictUrl),
    constructProblem('alarmTopic', props.alarmTopic, 'topicArn'),
    kindProblem('architecture', props.architecture, 'Architecture.ARM_64 or X86_64', ({ name }) =>
      architectures.some((each) => each === name),
    ),
    retentionProblem(props.logRetention),
    sizeProblem('memory', memory, [256, 10_240]),
    wholeProblem('jobConcurrency', jobConcurrency, [2, 1_000]),
    kindProblem('preparation', preparation, 'an object', () => true),
    wholeProblem('preparation.maxConcurrency', maxConcurrency, [1, 10_000]),
    sizeProblem('preparation.partSize', partSize, [1, 1_024]),
    unknownProblem('preparation', others, ['maxConcurrency', 'partSize']),
    kindProblem('functionProps', functionProps, 'an object', () => true),
    ...(isRecord(functionProps) ? Object.entries(functionProps) : []).map(([name, value]) => {
      const remedy = value === undefined ? undefined : ownSettings[name];
      return remedy && `functionProps.${name}: ${remedy}`;
    }),
  ].filter((problem) => problem !== undefined);
  if (problems.length > 0) throw invalid(`Millrace: ${problems.join('; ')}`);
}

function unknownProblem(
  name: string,
  given: Readonly<Record<string, unknown>>,
  allowed: readonly string[],
): string | undefined {
  const unknown = Object.entries(given).find(
    ([field, value]) => value !== undefined && !allowed.includes(field),
  );
  return unknown && `${name}: unknown field ${show(unknown[0])}; allowed: ${allowed.join(', ')}`;
}

/** @param attribute what such constructs have */
function constructProblem(name: string, value: unknown, attribute: string): string | undefined {
  const kind = attribute.replace(/^./, (first) => first.toUpperCase()).replace('Arn', '');
  return kindProblem(name, value, `a ${kind}`, (given) => attribute in given && 'node' in given);
}

/** (IAM lets nobody use a key that its policies name by an alias.) */
function aliasProblem(name: string, value: unknown): string | undefined {
  if (!isRecord(value) || !('aliasName' in value)) return undefined;
  return (
    `${name}: must be a key, not the alias of one, which policies of IAM cannot name ` +
    `(found ${show(value.aliasName)}); pass the key itself, as aliasTargetKey or Key.fromKeyArn has it`
  );
}

/** @param isOfKind whether an object is what is allowed */
function kindProblem(
  name: string,
  value: unknown,
  allowed: string,
  isOfKind: (given: Readonly<Record<string, unknown>>) => boolean,
): string | undefined {
  if (value === undefined || (isRecord(value) && isOfKind(value))) return undefined;
  return `${name}: must be ${allowed} (found ${show(value)})`;
}

function flagProblem(name: string, value: unknown): string | undefined {
  if (value === undefined || typeof value === 'boolean') return undefined;
  return `${name}: must be true or false (found ${show(value)})`;
}

function retentionProblem(value: unknown): string | undefined {
  if (value === undefined || Token.isUnresolved(value) || retentions.some((days) => days === value))
    return undefined;
  const allowed = 'must be one of RetentionDays, such as RetentionDays.ONE_MONTH';
  return `logRetention: ${allowed} (found ${show(value)})`;
}

/** (A number that is known when the stack is deployed is not looked at.) */
function wholeProblem(name: string, value: unknown, [least, most]: Bounds): string | undefined {
  if (value === undefined || Token.isUnresolved(value)) return undefined;
  const isAllowed = Number.isInteger(value) && Number(value) >= least && Number(value) <= most;
  if (isAllowed) return undefined;
  return `${name}: must be a whole number from ${least} to ${most} (found ${show(value)})`;
}

/** @param bounds in MiB */
function sizeProblem(name: string, value: unknown, [least, most]: Bounds): string | undefined {
  if (value === undefined) return undefined;
  const allowed = `${name}: must be a Size from ${least} to ${most} MiB, in whole bytes`;
  if (!(value instanceof Size)) return `${allowed} (found ${show(value)})`;
  if (value.isUnresolved()) return `${allowed} (found one that only the deployment knows)`;
  const bytes = value.toBytes({ rounding: SizeRoundingBehavior.NONE });
  const mebibytes = bytes / Size.mebibytes(1).toBytes();
  if (Number.isInteger(bytes) && mebibytes >= least && mebibytes <= most) return undefined;
  return `${allowed} (found ${bytes} bytes)`;
}
