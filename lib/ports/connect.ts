import { addressFromEnvironment } from './address.ts';
import type { Log, Ports } from './ports.ts';
import { type Environment, stackEnvironment } from './stack.ts';

/** Which stack a program works with, and how. */
export type ConnectSettings = {
  /** A deployed stack, by its name in CloudFormation. */
  readonly stack?: string;
  /** What else names a stack: `MILLRACE_BUCKET` and so on; the process' own unless given. */
  readonly environment?: Environment;
  /** Told what is worth knowing; nothing but warnings and errors on the console unless given. */
  readonly log?: Log;
  /** Threads of the engine; 1 unless given. */
  readonly threads?: number;
  /** Whether the program may only read (`grantRead`): what it compiles is kept in memory then. */
  readonly isReader?: boolean;
};

/**
 * Everything that a program needs to work with a stack: the deployed one that it names, else that
 * of the environment, else the local one if it runs (`npx millrace local`).
 *
 * @throws MillraceError kind `invalid` if there is none
 * @example const ports = await connect(); await createModel(ports, demand);
 */
export async function connect({
  stack,
  environment = process.env,
  log = { ...console, info: () => undefined },
  threads = 1,
  isReader = false,
}: ConnectSettings = {}): Promise<Ports> {
  // What only declares or asks loads no SDK.
  const { clientSettings, readingOnly } = await import('./aws.ts');
  const { withMachines } = await import('./machines.ts');
  const { programPorts } = await import('./program-ports.ts');
  const { S3Client } = await import('@aws-sdk/client-s3');
  const { SQSClient } = await import('@aws-sdk/client-sqs');
  const found = { ...environment, ...(await stackEnvironment(stack, environment)) };
  const settings = { ...clientSettings, ...localSettings(found) };
  const clients = { s3: new S3Client(settings), sqs: new SQSClient(settings) };
  const endpoint = found.AWS_ENDPOINT_URL_SFN;
  const address = addressFromEnvironment(found);
  const ports = withMachines(programPorts(clients, address, log, threads), found, {
    ...settings,
    ...(endpoint !== undefined && { endpoint }),
  });
  return isReader ? readingOnly(ports, threads) : ports;
}

/** What a local stack's file says for the SDK, which reads the process' environment alone. */
function localSettings(environment: Environment) {
  const { AWS_ENDPOINT_URL, AWS_REGION, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY } = environment;
  if (AWS_ENDPOINT_URL === undefined) return {};
  return {
    endpoint: AWS_ENDPOINT_URL,
    region: AWS_REGION ?? 'us-east-1',
    credentials: {
      accessKeyId: AWS_ACCESS_KEY_ID ?? '',
      secretAccessKey: AWS_SECRET_ACCESS_KEY ?? '',
    },
  };
}
