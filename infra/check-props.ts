import { Size, SizeRoundingBehavior, Token } from 'aws-cdk-lib';
import { invalid } from '../lib/errors.ts';
import { show } from '../lib/parse.ts';
import type { PreparationProps } from './functions.ts';

/** The least and the most of a setting. */
type Bounds = readonly [least: number, most: number];

/** Settings of the construct that have bounds. */
type BoundedProps = {
  readonly memory?: Size;
  readonly jobConcurrency?: number;
  readonly preparation?: PreparationProps;
  readonly functionProps?: object;
};

/** Settings of functions that one value for all of them would break, and what to do instead. */
const ownSettings: Readonly<Record<string, string>> = {
  functionName: 'one name cannot be that of all functions; leave it out',
  memorySize: 'say `memory` of the construct',
  logRetention: 'say `logRetention` of the construct',
  logGroup: 'each function has its own; say `logRetention` of the construct',
  timeout: 'each function has its own; leave it out',
  role: 'each function has its own, by which others know it; grant it what it lacks instead',
  architecture: 'say `architecture` of the construct',
};

/**
 * Holds settings to what AWS Lambda, SQS and Step Functions allow, and what a function has the time
 * for: some of them are taken for no bound at all where they are out of range.
 *
 * @throws MillraceError kind `invalid` that names each setting, what is allowed and what was found
 */
export function checkProps(props: BoundedProps): void {
  const { memory, jobConcurrency, preparation = {}, functionProps = {} } = props;
  const problems = [
    sizeProblem('memory', memory, [256, 10_240]),
    wholeProblem('jobConcurrency', jobConcurrency, [2, 1_000]),
    wholeProblem('preparation.maxConcurrency', preparation.maxConcurrency, [1, 10_000]),
    sizeProblem('preparation.partSize', preparation.partSize, [1, 1_024]),
    ...Object.entries(functionProps).map(([name, value]) => {
      const remedy = value === undefined ? undefined : ownSettings[name];
      return remedy && `functionProps.${name}: ${remedy}`;
    }),
  ].filter((problem) => problem !== undefined);
  if (problems.length > 0) throw invalid(`Millrace: ${problems.join('; ')}`);
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
  if (value.isUnresolved()) return undefined;
  const bytes = value.toBytes({ rounding: SizeRoundingBehavior.NONE });
  const mebibytes = bytes / Size.mebibytes(1).toBytes();
  if (Number.isInteger(bytes) && mebibytes >= least && mebibytes <= most) return undefined;
  return `${allowed} (found ${bytes} bytes)`;
}
