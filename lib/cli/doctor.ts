import { setTimeout as delay } from 'node:timers/promises';
import { SQSClient } from '@aws-sdk/client-sqs';
import { diagnose, type Finding } from '../operations/diagnose.ts';
import type { StackAddress } from '../ports/address.ts';
import { clientSettings } from '../ports/aws.ts';
import { queueDepths } from '../ports/queue-depths.ts';
import type { Environment } from '../ports/stack.ts';
import type { Io } from './io.ts';
import { wrapped } from './progress.ts';

/** Says whether a stack works; the answer is 1 if something does not. */
export async function doctor(
  { ports, print, result }: Io,
  address: StackAddress,
  environment: Environment,
  { canary }: { readonly canary: boolean },
): Promise<number> {
  const sqs = new SQSClient(clientSettings);
  const region = await sqs.config.region().catch(() => undefined);
  const endpoint = environment.AWS_ENDPOINT_URL ?? 'AWS';
  const stack = {
    check: 'stack',
    isFine: region !== undefined,
    says: `${endpoint}, region ${region ?? 'not set: AWS_REGION'}; Node ${process.versions.node}`,
  };
  const findings: Finding[] = [];
  const tell = (finding: Finding) => {
    findings.push(finding);
    const { check, isFine, says } = finding;
    const mark = isFine ? '✔' : '✖';
    for (const line of wrapped(says, `${mark} ${check.padEnd(7)} `, ' '.repeat(10))) print(line);
  };
  tell(stack);
  const options = {
    depths: () => queueDepths(sqs, address),
    canary,
    patienceSeconds: 60,
    wait: (milliseconds: number) => delay(milliseconds),
  };
  for await (const finding of diagnose(ports, options)) tell(finding);
  sqs.destroy();
  result(findings);
  return findings.every(({ isFine }) => isFine) ? 0 : 1;
}
