import { MillraceError } from '../errors.ts';

/** The names of the environment variables that the template sets and the functions read. */
export const environmentNames = {
  bucket: 'MILLRACE_BUCKET',
  samplesQueueUrl: 'MILLRACE_SAMPLES_QUEUE_URL',
  jobsQueueUrl: 'MILLRACE_JOBS_QUEUE_URL',
  commandsQueueUrl: 'MILLRACE_COMMANDS_QUEUE_URL',
  commandSenders: 'MILLRACE_COMMAND_SENDERS',
  predictFunction: 'MILLRACE_PREDICT_FUNCTION',
  predictUrl: 'MILLRACE_PREDICT_URL',
  logGroups: 'MILLRACE_LOG_GROUPS',
  threads: 'MILLRACE_THREADS',
  partsMachine: 'MILLRACE_PARTS_MACHINE',
  partBytes: 'MILLRACE_PART_BYTES',
  verifyMachine: 'MILLRACE_VERIFY_MACHINE',
  sweepMachine: 'MILLRACE_SWEEP_MACHINE',
} as const;

/** Where a deployed stack lives. */
export type StackAddress = {
  readonly bucket: string;
  readonly samplesQueueUrl: string;
  readonly jobsQueueUrl: string;
  readonly commandsQueueUrl: string;
};

/**
 * The stack's address from a process' environment. @throws MillraceError kind `invalid` if a
 * variable is missing
 */
export function addressFromEnvironment(
  environment: Readonly<Record<string, string | undefined>>,
): StackAddress {
  const read = (name: string) => {
    const value = environment[name];
    if (value === undefined || value === '')
      throw new MillraceError('invalid', `environment: ${name} is not set`);
    return value;
  };
  return {
    bucket: read(environmentNames.bucket),
    samplesQueueUrl: read(environmentNames.samplesQueueUrl),
    jobsQueueUrl: read(environmentNames.jobsQueueUrl),
    commandsQueueUrl: read(environmentNames.commandsQueueUrl),
  };
}

/** How many threads the engine of a function has: one for each of its processors. */
export function threadsFromEnvironment(
  environment: Readonly<Record<string, string | undefined>>,
): number {
  const threads = Number(environment[environmentNames.threads] ?? 1);
  if (Number.isInteger(threads) && threads >= 1) return threads;
  throw new MillraceError(
    'invalid',
    `environment: ${environmentNames.threads} must be a whole number of at least 1`,
  );
}

/**
 * Who may put commands into the samples queue: the unique ids of the stack's own roles, as SQS
 * names a sender (`<role id>:<session>`).
 */
export function isCommandSender(
  environment: Readonly<Record<string, string | undefined>>,
): (senderId: string | undefined) => boolean {
  const roles = new Set((environment[environmentNames.commandSenders] ?? '').split(','));
  return (senderId = '') => senderId !== '' && roles.has(senderId.split(':')[0] ?? '');
}

/** The inverse of {@link addressFromEnvironment}. */
export function environmentOf(address: StackAddress): Record<string, string> {
  return {
    [environmentNames.bucket]: address.bucket,
    [environmentNames.samplesQueueUrl]: address.samplesQueueUrl,
    [environmentNames.jobsQueueUrl]: address.jobsQueueUrl,
    [environmentNames.commandsQueueUrl]: address.commandsQueueUrl,
  };
}
