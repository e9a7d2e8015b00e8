import { SQSClient } from '@aws-sdk/client-sqs';
import { createRedrive } from '../operations/redrive.ts';
import { isCommandSender, type StackAddress } from '../ports/address.ts';
import { clientSettings } from '../ports/aws.ts';
import { type DeadLetter, type DeadLetters, deadLettersOf } from '../ports/dead-letters.ts';
import type { Environment } from '../ports/stack.ts';
import { count, type Io } from './io.ts';

/** Moves the dead letters of the stack of an environment; see {@link redrive}. */
export function redriveStack(
  io: Io,
  address: StackAddress,
  environment: Environment,
): Promise<number> {
  return redrive(io, new SQSClient(clientSettings), address, isCommandSender(environment));
}

/** Moves dead letters of all queues back, after it has shown the first of them. */
export async function redrive(
  { ports, print, result, mayChange }: Io,
  sqs: SQSClient,
  { samplesQueueUrl, jobsQueueUrl, commandsQueueUrl }: StackAddress,
  mayCommand: (sender: string | undefined) => boolean,
): Promise<number> {
  const samples = await deadLettersOf(sqs, samplesQueueUrl);
  const jobs = await deadLettersOf(sqs, jobsQueueUrl);
  const commands = await deadLettersOf(sqs, commandsQueueUrl);
  const shown = [
    await showFirst(print, 'samples', samples),
    await showFirst(print, 'jobs', jobs),
    await showFirst(print, 'commands', commands),
  ];
  const what = 'send dead letters back to their queues, those above and all others';
  // Where there are none, there is nothing to ask.
  if (shown.some((letters) => letters > 0) && !(await mayChange(what))) return 0;
  const redriveSamples = createRedrive(ports);
  const sums = { samples: 0, jobs: 0, commands: 0, settled: 0 };
  const left = new Map<string, number>();
  await empty(samples, async (batch) => {
    const messages = batch.map((letter) => ({
      ...letter,
      queue: samplesQueueUrl,
      // A command of somebody who may not give any stays what it was.
      isOfProducer: !mayCommand(letter.sender),
      letter,
    }));
    const done = await redriveSamples(messages);
    sums.samples += done.sent.length;
    sums.settled += done.settled.length;
    for (const { reason } of done.left) left.set(reason, (left.get(reason) ?? 0) + 1);
    return [...done.sent, ...done.settled].map(({ letter }) => letter);
  });
  await empty(jobs, async (batch) => {
    for (const { id, body, group } of batch)
      await ports.sendJob({ body: withJob(body, id), group, deduplication: id });
    sums.jobs += batch.length;
    return batch;
  });
  await empty(commands, async (batch) => {
    for (const { id, body, group } of batch)
      await ports.sendCommand({ body, group, deduplication: id });
    sums.commands += batch.length;
    return batch;
  });
  result({ sent: sums, left: Object.fromEntries(left) });
  const { samples: learnable, jobs: jobLetters, commands: commandLetters } = sums;
  print(
    `${count(learnable, 'message')} of samples, ${count(jobLetters, 'job')} and ` +
      `${count(commandLetters, 'command')} sent`,
  );
  if (sums.settled > 0)
    print(`${count(sums.settled, 'message')} had been settled before: not sent, and removed`);
  for (const [reason, messages] of left) print(`${count(messages, 'message')} left: ${reason}`);
  return 0;
}

/** A job without an id has its message's, also under another message. */
function withJob(body: string, id: string): string {
  try {
    return JSON.stringify({ job: id, ...JSON.parse(body) });
  } catch {
    return body;
  }
}

/** Receives letters until there are none; removes those that are done, and releases the others. */
async function empty(
  letters: DeadLetters,
  settle: (batch: readonly DeadLetter[]) => Promise<readonly DeadLetter[]>,
): Promise<void> {
  const kept: DeadLetter[] = [];
  for (let batch = await letters.receive(); batch.length > 0; batch = await letters.receive()) {
    const done = new Set(await settle(batch));
    for (const letter of batch) {
      if (done.has(letter)) await letters.remove(letter);
      else kept.push(letter);
    }
  }
  // Not earlier: they would be received again.
  for (const letter of kept) await letters.release(letter);
}

/** Shows the first letters of a queue. @returns about how many there are */
async function showFirst(print: Io['print'], name: string, letters: DeadLetters): Promise<number> {
  const about = await letters.count();
  print(`${name}: about ${count(about, 'dead letter')}`);
  const first = await letters.receive();
  for (const { group, id, body } of first) print(`  ${group} ${id} ${body.slice(0, 80)}`);
  for (const letter of first) await letters.release(letter);
  return Math.max(about, first.length);
}
