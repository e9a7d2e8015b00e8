import type { SQSClient } from '@aws-sdk/client-sqs';
import { createRedrive } from '../operations/redrive.ts';
import type { StackAddress } from '../ports/aws.ts';
import { type DeadLetter, deadLettersOf } from '../ports/dead-letters.ts';
import { count, type Io } from './io.ts';

/**
 * Moves dead letters of both queues back. With `isDryRun`, it only shows the first that would move.
 */
export async function redrive(
  { ports, print }: Io,
  sqs: SQSClient,
  { samplesQueueUrl, jobsQueueUrl }: StackAddress,
  isDryRun: boolean,
): Promise<number> {
  const redriveSamples = createRedrive(ports);
  const sums = { samples: 0, jobs: 0, settled: 0 };
  const strays = new Map<string, number>();
  for (const [name, queueUrl] of [
    ['samples', samplesQueueUrl] as const,
    ['jobs', jobsQueueUrl] as const,
  ]) {
    const letters = await deadLettersOf(sqs, queueUrl);
    if (isDryRun) print(`${name}: about ${count(await letters.count(), 'dead letter')}`);
    const kept: DeadLetter[] = [];
    for (let batch = await letters.receive(); batch.length > 0; batch = await letters.receive()) {
      const done = new Set(batch);
      if (name === 'samples') {
        const messages = batch.map((letter) => ({ ...letter, queue: queueUrl, letter }));
        const { sent, settled, left } = await redriveSamples(messages, isDryRun);
        sums.samples += sent.length;
        sums.settled += settled.length;
        for (const { group, letter } of left) {
          strays.set(group, (strays.get(group) ?? 0) + 1);
          done.delete(letter);
        }
      } else {
        for (const { id, body, group } of batch) {
          if (!isDryRun) await ports.sendJob({ body, group, deduplication: id });
          sums.jobs += 1;
        }
      }
      if (isDryRun)
        for (const { group, id, body } of batch) print(`  ${group} ${id} ${body.slice(0, 80)}`);
      for (const letter of batch) {
        if (isDryRun || !done.has(letter)) kept.push(letter);
        else await letters.remove(letter);
      }
      if (isDryRun) break;
    }
    // Not earlier: they would be received again.
    for (const letter of kept) await letters.release(letter);
  }
  const verb = isDryRun ? 'would be sent first' : 'sent';
  print(`${count(sums.samples, 'message')} of samples and ${count(sums.jobs, 'job')} ${verb}`);
  if (sums.settled > 0)
    print(`${count(sums.settled, 'message')} had been learnt before: not sent, and removed`);
  for (const [group, messages] of strays)
    print(
      `${count(messages, 'message')} left: there is no model ${group}; create it, or let them expire`,
    );
  return 0;
}
