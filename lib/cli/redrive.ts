import { SQSClient } from '@aws-sdk/client-sqs';
import { reasonIf } from '../errors.ts';
import { createRedrive } from '../operations/redrive.ts';
import { isCommandSender, type StackAddress } from '../ports/address.ts';
import { clientSettings } from '../ports/aws.ts';
import { type DeadLetter, type DeadLetters, deadLettersOf } from '../ports/dead-letters.ts';
import type { Environment } from '../ports/stack.ts';
import { count, type Io } from './io.ts';

type Letter = Pick<DeadLetter, 'id'>;

/** What became of some letters. */
type Moved = {
  readonly sent: readonly Letter[];
  readonly settled: readonly Letter[];
  readonly left: readonly { readonly letter: Letter; readonly reason: string }[];
};

/** How dead letters are moved. */
export type RedriveSettings = {
  /** Whether a sender may give commands. */
  readonly mayCommand: (sender: string | undefined) => boolean;
  /** Ids of letters that are removed, and nothing is sent. */
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

/** Moves dead letters of all queues back, or removes some, after it has shown the first of them. */
export async function redrive(
  io: Io,
  sqs: SQSClient,
  address: StackAddress,
  { mayCommand, drop = [] }: RedriveSettings,
): Promise<number> {
  const { ports, print, mayChange } = io;
  const { samplesQueueUrl, jobsQueueUrl, commandsQueueUrl } = address;
  const samples = await deadLettersOf(sqs, samplesQueueUrl);
  const jobs = await deadLettersOf(sqs, jobsQueueUrl);
  const commands = await deadLettersOf(sqs, commandsQueueUrl);
  const shown = {
    samples: await showFirst(print, 'samples', samples),
    jobs: await showFirst(print, 'jobs', jobs),
    commands: await showFirst(print, 'commands', commands),
  };
  if (drop.length > 0) return dropLetters(io, [samples, jobs, commands], drop);
  const what =
    `send about ${count(shown.samples, 'dead letter')} of samples, ${shown.jobs} of jobs and ` +
    `${shown.commands} of commands back to their queues`;
  // Where there are none, there is nothing to ask.
  const isAny = Object.values(shown).some((letters) => letters > 0);
  if (isAny && !(await mayChange(what))) return 0;
  const sums = { samples: 0, jobs: 0, commands: 0, settled: 0 };
  const left = new Map<string, string>();
  const moveAll = (
    letters: DeadLetters,
    queue: keyof typeof sums,
    move: (batch: readonly DeadLetter[]) => Promise<Moved>,
  ) =>
    empty(letters, async (batch) => {
      const done = await move(batch);
      sums[queue] += done.sent.length;
      sums.settled += done.settled.length;
      for (const { letter, reason } of done.left) left.set(letter.id, reason);
      return [...done.sent, ...done.settled];
    });
  const redriveSamples = createRedrive(ports);
  await moveAll(samples, 'samples', (batch) =>
    redriveSamples(
      batch.map((letter) => ({
        ...letter,
        queue: samplesQueueUrl,
        // A command of somebody who may not give any stays what it was.
        isOfProducer: !mayCommand(letter.sender),
      })),
    ),
  );
  await moveAll(jobs, 'jobs', (batch) => sendJobs(ports, batch));
  const redriveCommands = createRedrive(ports, 'commands');
  await moveAll(commands, 'commands', (batch) =>
    redriveCommands(batch.map((letter) => ({ ...letter, queue: commandsQueueUrl }))),
  );
  const about = await Promise.all([samples, jobs, commands].map((each) => each.count()));
  report(io, { sums, left, behind: about.reduce((sum, each) => sum + each, -left.size) });
  return 0;
}

/** Sends jobs again under their ids; a job is done once under its own. */
async function sendJobs({ sendJob }: Io['ports'], batch: readonly DeadLetter[]): Promise<Moved> {
  const sent: Letter[] = [];
  const left: { letter: Letter; reason: string }[] = [];
  for (const letter of batch) {
    const { id, body, group } = letter;
    const job = { body: withJob(body, id), group, deduplication: id };
    const refused = await sendJob(job).catch(reasonIf('invalid'));
    if (typeof refused === 'string') left.push({ letter, reason: refused });
    else sent.push(letter);
  }
  return { sent, settled: [], left };
}

/** Removes letters. @returns the exit status, 1 if one was not there */
async function dropLetters(
  { print, result, mayChange }: Io,
  queues: readonly DeadLetters[],
  ids: readonly string[],
): Promise<number> {
  if (!(await mayChange(`remove ${ids.join(', ')} for good, and send nothing`))) return 0;
  const dropped = new Set<string>();
  for (const letters of queues)
    await empty(letters, async (batch) => {
      const found = batch.filter(({ id }) => ids.includes(id));
      for (const { id } of found) dropped.add(id);
      return found;
    });
  const missing = [...new Set(ids)].filter((id) => !dropped.has(id));
  result({ dropped: [...dropped], missing });
  print(`${count(dropped.size, 'message')} dropped; what a redrive had sent of them before stays`);
  if (missing.length > 0)
    print(
      `not there, or behind another one of its model, which comes first: ${missing.join(', ')}`,
    );
  return missing.length > 0 ? 1 : 0;
}

/** How many letters went where, why others are left by their ids, and how many are behind those. */
type Outcome = {
  readonly sums: Readonly<Record<'samples' | 'jobs' | 'commands' | 'settled', number>>;
  readonly left: ReadonlyMap<string, string>;
  readonly behind: number;
};

function report({ print, result }: Pick<Io, 'print' | 'result'>, outcome: Outcome): void {
  const { sums, left, behind } = outcome;
  const reasons = [...Map.groupBy([...left], ([, reason]) => reason)];
  const counts = Object.fromEntries(reasons.map(([why, of]) => [why, of.length]));
  result({ sent: sums, left: counts, letters: Object.fromEntries(left) });
  print(
    `${count(sums.samples, 'message')} of samples, ${count(sums.jobs, 'job')} and ` +
      `${count(sums.commands, 'command')} sent`,
  );
  if (sums.settled > 0)
    print(`${count(sums.settled, 'message')} had been settled before: not sent, and removed`);
  for (const [reason, letters] of reasons) {
    print(`${count(letters.length, 'message')} left: ${reason}`);
    print(`  redrive ${letters.map(([id]) => `--drop ${id}`).join(' ')}`);
  }
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
  settle: (batch: readonly DeadLetter[]) => Promise<readonly Letter[]>,
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
