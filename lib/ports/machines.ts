import type { SFNClientConfig } from '@aws-sdk/client-sfn';
import { MillraceError } from '../errors.ts';
import { environmentNames } from './address.ts';
import { clientSettings } from './aws.ts';
import type { Ports, Starter } from './ports.ts';

/**
 * Ports that know how a stack prepares large datasets, as its environment says: how large a part
 * is, and which state machine prepares parts side by side.
 *
 * @throws MillraceError kind `invalid` if a variable is not what the template sets
 */
export function withParts(
  ports: Ports,
  environment: Readonly<Record<string, string | undefined>>,
): Ports {
  const { partBytes: name, partsMachine } = environmentNames;
  const partBytes = Number(environment[name] ?? ports.limits.partBytes);
  if (!Number.isInteger(partBytes) || partBytes < 1)
    throw new MillraceError('invalid', `environment: ${name} must be a whole number of at least 1`);
  const machine = environment[partsMachine];
  return {
    ...ports,
    limits: { ...ports.limits, partBytes },
    ...(machine === undefined ? {} : { startParts: machineStarter(machine, clientSettings) }),
  };
}

/** Ports that know the state machines that people start, as far as an environment names them. */
export function withMachines(
  ports: Ports,
  environment: Readonly<Record<string, string | undefined>>,
  settings: Partial<SFNClientConfig> = clientSettings,
): Ports {
  const starterOf = (name: string) => {
    const machine = environment[name];
    return machine === undefined ? undefined : machineStarter(machine, settings);
  };
  const startVerification = starterOf(environmentNames.verifyMachine);
  const startTrials = starterOf(environmentNames.sweepMachine);
  return {
    ...ports,
    ...(startVerification && { startVerification }),
    ...(startTrials && { startTrials }),
  };
}

/**
 * Starts executions of a state machine through the AWS SDK.
 *
 * @throws MillraceError kind `unavailable` if Step Functions does not take it
 */
function machineStarter(stateMachineArn: string, settings: Partial<SFNClientConfig>): Starter {
  return async ({ name, input }) => {
    // Few need it.
    const { ExecutionAlreadyExists, SFNClient, StartExecutionCommand } = await import(
      '@aws-sdk/client-sfn'
    );
    const client = new SFNClient(settings);
    try {
      await client.send(new StartExecutionCommand({ stateMachineArn, name, input }));
    } catch (cause) {
      if (cause instanceof ExecutionAlreadyExists) return;
      const reason = cause instanceof Error ? `${cause.name}: ${cause.message}` : String(cause);
      throw new MillraceError('unavailable', `starting ${name} failed: ${reason}`, { cause });
    } finally {
      client.destroy();
    }
  };
}
