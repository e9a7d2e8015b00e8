import type { SettledMessage } from '../commands/header.ts';
import { openFile } from '../datasets/local-file.ts';
import { readSamples } from '../datasets/read-samples.ts';
import { invalid } from '../errors.ts';
import { type Retraction, sampleHash } from '../fold/exclusions.ts';
import { entriesAfter } from '../journal/reading.ts';
import { limits } from '../limits.ts';
import type { Model } from '../model/model.ts';
import { findRetracted, prepareRetraction } from '../operations/prepare-retraction.ts';
import { sampleWriter } from '../operations/send-file.ts';
import { deduplicationId } from '../ports/deduplication.ts';
import type { Ports } from '../ports/ports.ts';
import type { Spec } from '../spec/spec.ts';
import { timeOf } from './arguments.ts';
import { count, type Io, modelOf } from './io.ts';

/** How the samples to be unlearnt are named. */
export type RetractOptions = {
  /** An SQS message id, or `<producer>:<seq>`. */
  readonly message?: string | undefined;
  /** A file in any of the formats that can be sent. */
  readonly samples?: string | undefined;
  readonly from?: string | undefined;
  readonly to?: string | undefined;
};

/**
 * Folds the journal again without some samples, and sends the command that puts the result in
 * place.
 */
export async function retract(
  { ports, print, result, mayChange }: Io,
  name: string,
  options: RetractOptions,
): Promise<number> {
  const choice = choiceOf(options);
  const model = await modelOf(ports, name);
  const retraction = await retractionOf(ports, model, choice);
  if (Buffer.byteLength(JSON.stringify(retraction)) > limits.retractionBytes) {
    throw invalid(
      'millrace retract: that names more than one command can hold; retract a part of it first',
    );
  }
  const found = await findRetracted(ports, model, retraction);
  const { first, last } = found;
  const what =
    `${name}: unlearn ${count(found.samples, 'sample')} of ${count(found.entries, 'entry', 'entries')} ` +
    `from ${first.sequence} (${first.time}) to ${last.sequence} (${last.time}); it cannot be undone`;
  if (!(await mayChange(what))) return 0;
  const { retract: command, to } = await prepareRetraction(ports, model, retraction, found);
  const body = JSON.stringify({ retract: command });
  await ports.sendCommand({ body, group: name, deduplication: deduplicationId(name, command.job) });
  print(
    `${name}: folded entries ${command.from} to ${to} without ${count(found.samples, 'sample')} ` +
      'and sent the command; it is done in its turn',
  );
  result({ model: name, retract: command, samples: found.samples });
  for (const job of command.jobs)
    print(`  job ${job}, which had learnt them, is left out too; a new job learns without them`);
  return 0;
}

/** One way to name what is unlearnt. */
type Choice =
  | { readonly by: 'message'; readonly message: string }
  | { readonly by: 'samples'; readonly file: string }
  | { readonly by: 'time'; readonly first: number; readonly last: number };

function choiceOf({ message, samples, from, to }: RetractOptions): Choice {
  const ways = [message, samples, from ?? to].filter((each) => each !== undefined);
  if (ways.length === 1 && samples !== undefined) return { by: 'samples', file: samples };
  if (ways.length === 1 && message !== undefined) return { by: 'message', message };
  if (ways.length === 1 && from !== undefined && to !== undefined) {
    const [first, last] = [timeOf('--from', from), timeOf('--to', to)];
    if (first <= last) return { by: 'time', first, last };
    throw invalid(`--to: must not be before --from (found ${from} to ${to})`);
  }
  throw invalid(
    'millrace retract: name --message <id or producer:seq>, or --samples <file>, or --from <time> --to <time>',
  );
}

async function retractionOf(
  ports: Ports,
  { name: model, spec }: Model,
  choice: Choice,
): Promise<Retraction> {
  if (choice.by === 'samples') return { messages: [], samples: await hashesOf(spec, choice.file) };
  const isMeant =
    choice.by === 'message'
      ? ({ id, producer, seq }: SettledMessage) =>
          id === choice.message ||
          (producer !== undefined && `${producer}:${seq}` === choice.message)
      : (_: SettledMessage, time: number) => choice.first <= time && time <= choice.last;
  return { messages: await learntMessages(ports, model, isMeant), samples: [] };
}

/** Ids of the learnt messages that are chosen. */
async function learntMessages(
  { store }: Ports,
  model: string,
  isMeant: (message: SettledMessage, time: number) => boolean,
): Promise<string[]> {
  const ids: string[] = [];
  for await (const { header } of entriesAfter(store, model, 0, { ahead: limits.readsAtOnce })) {
    const time = Date.parse(header.time);
    for (const message of header.messages)
      if (message.samples > 0 && isMeant(message, time)) ids.push(message.id);
  }
  return ids;
}

/** The samples of a file as `send` sends them: rows, or samples as they were sent. */
async function hashesOf(spec: Spec, path: string): Promise<string[]> {
  const file = await openFile(path).catch((cause: unknown) => {
    throw invalid(`--samples: ${cause instanceof Error ? cause.message : cause}`, cause);
  });
  const write = sampleWriter(spec);
  const hashes: string[] = [];
  try {
    for await (const { samples, bad } of readSamples(spec, { name: path, bytes: file })) {
      const [first] = bad;
      if (first !== undefined)
        throw invalid(`--samples: line ${first.line} of ${path}: ${first.reason}`);
      for (const sample of samples) hashes.push(sampleHash(JSON.parse(write(sample))));
    }
    return hashes;
  } finally {
    await file.close();
  }
}
