import { portsOver } from '../../lib/ports/aws.ts';
import type { Ports } from '../../lib/ports/ports.ts';
import type { LocalCloud } from './cloud.ts';

/** The ports over a local cloud, for programs that send to it and read from it. */
export function localPorts({ s3, sqs, address }: LocalCloud): Ports {
  const log = { info: () => undefined, warn: console.error, error: console.error };
  return portsOver({ s3, sqs }, address, log, 1);
}
