import { environmentNames } from '../../lib/ports/address.ts';
import type { FunctionHost } from './function-host.ts';
import type { LambdaEndpoint } from './lambda-endpoint.ts';
import { type Physical, resolve, type Template } from './template.ts';

/** The function that predicts, as its file is called. */
const predictName = 'predict';

/** What SDKs and the AWS CLI read. */
export function environmentOfAws(settings: {
  readonly region: string;
  readonly endpoint: string;
  readonly credentials: { readonly accessKeyId: string; readonly secretAccessKey: string };
}) {
  const { region, endpoint, credentials } = settings;
  return {
    AWS_REGION: region,
    // The AWS CLI reads this one.
    AWS_DEFAULT_REGION: region,
    AWS_ACCESS_KEY_ID: credentials.accessKeyId,
    AWS_SECRET_ACCESS_KEY: credentials.secretAccessKey,
    AWS_ENDPOINT_URL: endpoint,
  };
}

/** What answers there, and what people start, by the names that a deployed stack's outputs have. */
export function environmentOfStack(
  { url, urlOf }: LambdaEndpoint,
  functions: ReadonlyMap<string, FunctionHost>,
  { outputs }: Template,
  physical: Physical,
): Record<string, string> {
  const arnOf = (machine: string) => {
    const name = Object.keys(outputs).find((output) => output.includes(machine)) ?? '';
    return String(resolve(outputs[name], physical));
  };
  return {
    [environmentNames.verifyMachine]: arnOf('VerifyMachineArn'),
    [environmentNames.sweepMachine]: arnOf('SweepMachineArn'),
    [environmentNames.logGroups]: [...functions.keys()].join(','),
    AWS_ENDPOINT_URL_LAMBDA: url,
    AWS_ENDPOINT_URL_CLOUDWATCH_LOGS: url,
    AWS_ENDPOINT_URL_SFN: url,
    [environmentNames.predictFunction]: predictName,
    [environmentNames.predictUrl]: urlOf(predictName),
  };
}
