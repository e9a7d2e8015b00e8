import { readFile } from 'node:fs/promises';
import type { SQSClient } from '@aws-sdk/client-sqs';
import { invalid } from '../errors.ts';
import { entriesAfter, readEntry } from '../journal/journal.ts';
import { limits } from '../limits.ts';
import type { StackAddress } from '../ports/aws.ts';
import { type DeadLetter, deadLettersOf } from '../ports/dead-letters.ts';
import type { Ports } from '../ports/ports.ts';
import { currentState } from '../training/fold.ts';
import { loadModel, type Model } from '../training/model.ts';
import { prepareRetraction } from '../training/prepare-retraction.ts';
import { createRedrive } from '../training/redrive.ts';
import { type Retraction, sampleHash } from '../training/retraction.ts';
import { refusedMessages, retryQuarantine } from '../training/retry.ts';
import { retractedAt } from '../training/rollback.ts';
import { verifyModel } from '../training/verify.ts';

/** What a command works with. */
export type Io = { readonly ports: Ports; readonly print: (line: string) => void };

const count = (value: number, noun: string) =>
  `${value.toLocaleString('en')} ${noun}${value === 1 ? '' : 's'}`;

/** Folds the journal again and compares; 1 if the published state is another. */
export async function verify({ ports, print }: Io, name: string, isAll: boolean): Promise<number> {
  const { from, to, samples, differences, isSame } = await verifyModel(
    ports,
    await modelOf(ports, name),
    isAll,
  );
  for (const [tensor, difference] of differences) print(`  ${tensor}  ${difference}`);
  const largest = Math.max(0, ...differences.values());
  print(`${name}: entries ${from + 1} to ${to}, ${count(samples, 'sample')}, largest difference ${largest}`);
  if (!isSame) print(`${name}: the published state is not the fold of its journal`);
  return isSame ? 0 : 1;
}

/** Sends the command that brings back the weights of an entry, or of the last one at a time. */
export async function rollback({ ports, print }: Io, name: string, to: string | undefined): Promise<number> {
  if (to === undefined)
    throw invalid('millrace rollback: --to names an entry, or a time such as 2026-11-24T12:00Z');
  const model = await modelOf(ports, name);
  const state = await currentState(ports, model);
  const entry = /^\d+$/.test(to) ? Number(to) : await entryAt(ports, name, state.sequence, to);
  if (entry > state.sequence)
    throw invalid(`--to: the journal of ${name} ends at entry ${state.sequence} (found ${entry})`);
  const retracted = retractedAt(state, entry);
  if (retracted !== undefined) throw invalid(`--to: ${retracted}`);
  const body = JSON.stringify({ rollback: { to: entry } });
  await ports.sendSamples({ body, group: name, deduplication: `rollback:${ports.nonce()}` });
  print(
    `${name}: sent the command to go back to entry ${entry} of ${state.sequence}; it is done in its turn`,
  );
  return 0;
}

/** The last entry that was committed up to a time. */
async function entryAt({ store }: Ports, model: string, last: number, text: string): Promise<number> {
  const time = Date.parse(text);
  if (Number.isNaN(time))
    throw invalid(`--to: must be an entry's number or a time (found ${JSON.stringify(text)})`);
  for (let sequence = last; sequence >= 1; sequence--) {
    const entry = await readEntry(store, model, sequence);
    if (entry !== undefined && Date.parse(entry.header.time) <= time) return sequence;
  }
  return 0;
}

/** What a person names to be unlearnt. */
export type RetractOptions = {
  readonly message?: string | undefined;
  /** A file of JSON Lines. */
  readonly samples?: string | undefined;
  readonly from?: string | undefined;
  readonly to?: string | undefined;
};

/** Folds the journal again without some samples, and sends the command that puts the result in place. */
export async function retract(
  { ports, print }: Io,
  name: string,
  { message, samples, from, to }: RetractOptions,
): Promise<number> {
  const model = await modelOf(ports, name);
  const ways = [message, samples, from ?? to].filter((each) => each !== undefined);
  if (ways.length !== 1 || (from === undefined) !== (to === undefined)) {
    throw invalid('millrace retract: name --message <id>, or --samples <file>, or --from <time> --to <time>');
  }
  const retraction: Retraction = {
    messages:
      from === undefined || to === undefined
        ? [message].filter((each) => each !== undefined)
        : await messagesBetween(ports, name, timeOf('--from', from), timeOf('--to', to)),
    samples: samples === undefined ? [] : hashesOf(await readFile(samples, 'utf8'), samples),
  };
  const prepared = await prepareRetraction(ports, model, retraction);
  const command = prepared.retract;
  const body = JSON.stringify({ retract: command });
  if (Buffer.byteLength(body) > limits.messageBytes) {
    throw invalid('millrace retract: that names more than one command can hold; retract a part of it first');
  }
  await ports.sendSamples({ body, group: name, deduplication: command.job });
  print(
    `${name}: folded entries ${command.from} to ${prepared.to} without ${count(prepared.samples, 'sample')} and sent the command; it is done in its turn`,
  );
  for (const job of command.jobs)
    print(`  job ${job}, which had learnt them, is left out too; a new job learns without them`);
  return 0;
}

/** Ids of the messages that were learnt within some time. */
async function messagesBetween({ store }: Ports, model: string, from: number, to: number): Promise<string[]> {
  const ids: string[] = [];
  for await (const { header } of entriesAfter(store, model, 0, { ahead: limits.readsAtOnce })) {
    const time = Date.parse(header.time);
    if (time < from || time > to) continue;
    for (const { id, samples } of header.messages) if (samples > 0) ids.push(id);
  }
  return ids;
}

function hashesOf(text: string, file: string): string[] {
  return text
    .split('\n')
    .filter((line) => line.trim() !== '')
    .map((line, i) => {
      try {
        return sampleHash(JSON.parse(line));
      } catch (cause) {
        throw invalid(`--samples: line ${i + 1} of ${file} must be JSON`, cause);
      }
    });
}

function timeOf(option: string, text: string): number {
  const time = Date.parse(text);
  if (Number.isNaN(time))
    throw invalid(`${option}: must be a time such as 2026-11-24T12:00Z (found ${JSON.stringify(text)})`);
  return time;
}

/** Lists refused samples, but for those that a retry has settled, or sends them again. */
export async function showQuarantine({ ports, print }: Io, name: string, isRetry: boolean): Promise<number> {
  await modelOf(ports, name);
  if (isRetry) {
    const { sent, left } = await retryQuarantine(ports, name);
    print(`${name}: sent ${count(sent, 'message')} again, ${left.length} cannot be`);
    for (const { message, reason } of left) print(`  ${message}: ${reason}`);
    return 0;
  }
  const messages = await refusedMessages(ports, name);
  const standing = messages.filter(({ isSettledAgain }) => !isSettledAgain);
  for (const { record, resend } of standing) {
    const { message, time, producer, seq, refused } = record;
    const from = producer === undefined ? '' : ` from ${producer} ${seq}`;
    const again = resend === undefined ? '' : `, on its way again as ${resend.producer} ${resend.seq}`;
    print(`${message}${from}${time === undefined ? '' : ` at ${time}`}${again}`);
    for (const { index, field, reason } of refused) {
      print(`  ${index < 0 ? 'the message' : `sample ${index}`}: ${field}: ${reason}`);
    }
  }
  const samples = standing.reduce((sum, { record }) => sum + record.refused.length, 0);
  const settled = messages.length - standing.length;
  print(
    `${name}: ${count(standing.length, 'message')} with ${count(samples, 'refusal')} in quarantine` +
      (settled === 0 ? '' : `; ${count(settled, 'message')} settled since`),
  );
  return 0;
}

/** Moves dead letters back, the samples' and the jobs'; with `isDryRun` only shows the first that would move. */
export async function redrive(
  { ports, print }: Io,
  sqs: SQSClient,
  { samplesQueueUrl, jobsQueueUrl }: StackAddress,
  isDryRun: boolean,
): Promise<number> {
  const redriveSamples = createRedrive(ports);
  const sums = { samples: 0, jobs: 0, settled: 0 };
  const strays = new Map<string, number>();
  for (const [name, queueUrl] of [['samples', samplesQueueUrl] as const, ['jobs', jobsQueueUrl] as const]) {
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
      if (isDryRun) for (const { group, id, body } of batch) print(`  ${group} ${id} ${body.slice(0, 80)}`);
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
    print(`${count(messages, 'message')} left: there is no model ${group}; create it, or let them expire`);
  return 0;
}

async function modelOf(ports: Ports, name: string): Promise<Model> {
  const model = await loadModel(ports, name);
  if (model === undefined) throw invalid(`there is no model ${name} in s3://${ports.store.bucket}`);
  return model;
}
