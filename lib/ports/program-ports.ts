import type { S3Client } from '@aws-sdk/client-s3';
import type { SQSClient } from '@aws-sdk/client-sqs';
import type { StackAddress } from './address.ts';
import { portsOver } from './aws.ts';
import { holdingBack } from './hold-back.ts';
import type { Log, Ports } from './ports.ts';
import { depthOf } from './queue-depths.ts';

/** {@link portsOver} of whoever sends from outside of the stack: he leaves room for others. */
export function programPorts(
  clients: { readonly s3: S3Client; readonly sqs: SQSClient },
  address: StackAddress,
  log: Log,
  threads: number,
): Ports {
  const ports = portsOver(clients, address, log, threads);
  const waiting = async () => (await depthOf(clients.sqs, address.samplesQueueUrl)).waiting;
  return { ...ports, sendSamples: holdingBack(ports.sendSamples, { ...ports, waiting }) };
}
