import { readFile } from 'node:fs/promises';
import { invalid } from '../errors.ts';
import { entriesAfter } from '../journal/reading.ts';
import { limits } from '../limits.ts';
import type { Ports } from '../ports/ports.ts';
import { prepareRetraction } from '../training/prepare-retraction.ts';
import { type Retraction, sampleHash } from '../training/retraction.ts';
import { count, type Io, modelOf } from './io.ts';

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
