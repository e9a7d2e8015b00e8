import { SQSClient } from '@aws-sdk/client-sqs';
import type { Message } from '../online/messages.ts';
import { createRedrive, type Redriven } from '../operations/redrive.ts';
import { isCommandSender, type StackAddress } from '../ports/address.ts';
import { clientSettings } from '../ports/aws.ts';
import { type DeadLetter, type DeadLetters, deadLettersOf } from '../ports/dead-letters.ts';
import type { Environment } from '../ports/stack.ts';
import { count, type Io } from './io.ts';

/** What became of some letters. */
type Moved = {
  readonly sent: readonly { readonly id: string }[];
  readonly settled: readonly { readonly id: string }[];
  readonly left: Redriven<Message>['left'];
};

/** How dead letters are moved. */
export type RedriveSettings = {
  /** Whether a sender may give commands. */
  readonly mayCommand: (sender: string | undefined) => boolean;
  /** Ids of letters that are removed instead. */
  readonly drop?: readonly string[];
};

/** Moves the dead letters of the stack of an environment; see {@link redrive}. */
export function redriveStack(
  io: Io,
  address: StackAddress,
  environment: Environment,
  drop: readonly string[],
): Promise<number> {
  const mayCommand = isCommandSender(environment);
  return redrive(io, new SQSClient(clientSettings), address, { mayCommand, drop });
}

/** Moves dead letters of all queues back, after it has shown the first of them. */
export async function redrive(
  { ports, print, result, mayChange }: Io,
  sqs: SQSClient,
  { samplesQueueUrl, jobsQueueUrl, commandsQueueUrl }: StackAddress,
  { mayCommand, drop = [] }: RedriveSettings,
): Promise<number> {
  const samples = await deadLettersOf(sqs, samplesQueueUrl);
  const jobs = await deadLettersOf(sqs, jobsQueueUrl);
  const commands = await deadLettersOf(sqs, commandsQueueUrl);
  const shown = [
    await showFirst(print, 'samples', samples),
    await showFirst(print, 'jobs', jobs),
    await showFirst(print, 'commands', commands),
  ];
  const [ofSamples = 0, ofJobs = 0, ofCommands = 0] = shown;
  const what =
    `send about ${count(ofSamples, 'dead letter')} of samples, ${ofJobs} of jobs and ` +
    `${ofCommands} of commands back to their queues` +
    (drop.length > 0 ? `, and remove ${drop.join(', ')} for good` : '');
  // Where there are none, there is nothing to ask.
  if (shown.some((letters) => letters > 0) && !(await mayChange(what))) return 0;
  const toDrop = new Set(drop);
  const sums = { samples: 0, jobs: 0, commands: 0, settled: 0, dropped: 0 };
  const left = new Map<string, string>();
  const moveAll = (
    letters: DeadLetters,
    queue: keyof typeof sums,
    move: (batch: readonly DeadLetter[]) => Promise<Moved>,
  ) =>
    empty(letters, async (batch) => {
      const dropped = batch.filter(({ id }) => toDrop.has(id));
      const done = await move(batch.filter(({ id }) => !toDrop.has(id)));
      sums[queue] += done.sent.length;
      sums.settled += done.settled.length;
      sums.dropped += dropped.length;
      for (const { letter, reason } of done.left) left.set(letter.id, reason);
      return [...done.sent, ...done.settled, ...dropped];
    });
  // A command among samples, of somebody who may not give any, stays what it was.
  const redriveSamples = createRedrive(ports);
  await moveAll(samples, 'samples', (batch) =>
    redriveSamples(
      batch.map((letter) => ({
        ...letter,
        queue: samplesQueueUrl,
        isOfProducer: !mayCommand(letter.sender),
      })),
    ),
  );
  await moveAll(jobs, 'jobs', async (batch) => {
    for (const { id, body, group } of batch)
      await ports.sendJob({ body: withJob(body, id), group, deduplication: id });
    return { sent: batch, settled: [], left: [] };
  });
  const redriveCommands = createRedrive(ports, 'commands');
  await moveAll(commands, 'commands', (batch) =>
    redriveCommands(batch.map((letter) => ({ ...letter, queue: commandsQueueUrl }))),
  );
  const about = await Promise.all([samples, jobs, commands].map((each) => each.count()));
  const behind = about.reduce((sum, each) => sum + each, -left.size);
  report({ print, result }, { sums, left, behind });
  return 0;
}

/** How many letters went where, why others are left by their ids, and how many are behind those. */
type Outcome = {
  readonly sums: Readonly<Record<'samples' | 'jobs' | 'commands' | 'settled' | 'dropped', number>>;
  readonly left: ReadonlyMap<string, string>;
  readonly behind: number;
};

function report({ print, result }: Pick<Io, 'print' | 'result'>, outcome: Outcome): void {
  const { sums, left, behind } = outcome;
  const reasons = [...Map.groupBy([...left], ([, reason]) => reason)];
  result({ sent: sums, left: Object.fromEntries(reasons.map(([why, of]) => [why, of.length])) });
  print(
    `${count(sums.samples, 'message')} of samples, ${count(sums.jobs, 'job')} and ` +
      `${count(sums.commands, 'command')} sent`,
  );
  if (sums.settled > 0)
    print(`${count(sums.settled, 'message')} had been settled before: not sent, and removed`);
  if (sums.dropped > 0) print(`${count(sums.dropped, 'message')} dropped`);
  for (const [reason, [first = [], ...others]] of reasons)
    print(`${count(1 + others.length, 'message')} left: ${reason} (redrive --drop ${first[0]})`);
  if (behind > 0)
    print(
      `about ${count(behind, 'more dead letter')} of the same models: the queue hands out none ` +
        'behind one that is left',
    );
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
  settle: (batch: readonly DeadLetter[]) => Promise<readonly { readonly id: string }[]>,
): Promise<void> {
  const kept = new Map<string, DeadLetter>();
  for (let batch = await letters.receive(); batch.length > 0; batch = await letters.receive()) {
    // Those that are kept come again where the others take longer than they stay invisible.
    const isAgain = batch.every(({ id }) => kept.has(id));
    const done = new Set((await settle(batch)).map(({ id }) => id));
    for (const letter of batch) {
      if (done.has(letter.id)) await letters.remove(letter);
      else kept.set(letter.id, letter);
    }
    if (isAgain) break;
  }
  // Not earlier: they would be received again.
  for (const letter of kept.values()) await letters.release(letter);
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
