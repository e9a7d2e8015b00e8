import { hash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import * as z from 'zod';
import { invalid, isOfKind, reasonOf } from '../errors.ts';
import { jsonWithSamples } from '../features/sample-json.ts';
import { tableOf } from '../features/table-of.ts';
import { limits } from '../limits.ts';
import { assertDepth, jsonOf, parse, plainJson, show } from '../parse.ts';
import { modelName, producerName } from '../spec/names.ts';
import { type ModelReference, nameOf, type SampleOf } from '../spec/samples-of.ts';
import { deduplicationId } from './deduplication.ts';
import { makeFolder } from './make-folder.ts';
import type { Ports, Sender } from './ports.ts';
import { replaceFile } from './replace-file.ts';

/**
 * Sends numbered messages of samples, which are learnt exactly once however often they are
 * delivered.
 */
export type Producer<Sample = unknown> = {
  /**
   * Sends the next message; an empty list is none. Messages are sent one after the other, in the
   * order of the calls. If one fails, its number stays its own: the next call sends it again first,
   * under the same number. To try again with the same list, and the same samples in it, is to do
   * just that, and no more.
   */
  readonly send: (samples: readonly Sample[]) => Promise<void>;
  /** The number that the next message gets. */
  readonly nextSeq: () => number;
};

/** What stands for the content of a message: its JSON, without the number. */
export function contentDigest(content: object): string {
  return digestOfJson(jsonWithSamples(content));
}

function digestOfJson(json: string): string {
  return hash('sha256', json).slice(0, 16);
}

/** The JSON of a message's samples: of each, and of all as a table where that is shorter. */
export type WrittenSamples = { readonly texts: readonly string[]; readonly table?: string };

/**
 * A message of samples under a producer's number. Its deduplication id has its content, however it
 * is written: a number that was used for something else must reach the model, to be noticed there.
 *
 * @param run what the deduplication id has beside it: SQS drops what it had within five minutes,
 *   also where the model was removed since, and made again
 */
export function numberedMessage(
  { model, name, seq }: { readonly model: string; readonly name: string; readonly seq: number },
  { texts, table }: WrittenSamples,
  ...run: readonly string[]
) {
  const content = `"samples":[${texts.join(',')}]}`;
  const written = table === undefined ? content : `"columns":${table}}`;
  return {
    body: `{"producer":${JSON.stringify(name)},"seq":${seq},${written}`,
    group: model,
    deduplication: deduplicationId(model, name, seq, digestOfJson(`{${content}`), ...run),
  };
}

/** What a producer must remember over a restart. */
type Kept = {
  /** The number of the next message. */
  readonly seq: number;
  /** The samples of a message that may have arrived or not, under that number. */
  readonly unanswered?: WrittenSamples | undefined;
};

/**
 * A sender of numbered messages for one model.
 *
 * @param model its name, or its spec, which types the samples
 * @param name of the producer; no two senders may share one
 * @param nextSeq the number of the next message: 1 for a new producer. Keep it before sending, and
 *   go on from there after a crash: a number that was sent twice is learnt once. If something else
 *   is sent under a number that was used, that is refused, to quarantine.
 *   {@link openProducer} keeps it in a file, {@link freshProducer} needs none
 */
export function createProducer<Model extends ModelReference>(
  send: Sender,
  model: Model,
  name: string,
  nextSeq = 1,
): Producer<SampleOf<Model>> {
  const seq = parse(z.int().positive(), nextSeq, 'nextSeq');
  return startProducer(send, namesOf(model, name), { seq }, async () => undefined);
}

/** @throws MillraceError kind `invalid` if one of them is none that a message can have */
function namesOf(model: ModelReference, name: string) {
  return {
    model: parse(modelName, nameOf(model), 'model'),
    name: parse(producerName, name, 'name'),
  };
}

/** @param keep is told what to remember, before a message is sent and after it was taken */
function startProducer(
  send: Sender,
  { model, name }: { readonly model: string; readonly name: string },
  from: Kept,
  keep: (kept: Kept) => Promise<void>,
): Producer {
  let { seq } = from;
  /** The message that may have arrived or not, and the list that it was made of. */
  let unanswered: Sending | undefined = from.unanswered && { samples: from.unanswered };
  /** Lists whose call has failed, although their message was taken since. */
  const taken = new WeakMap<object, readonly string[]>();
  let last: Promise<void> = Promise.resolve();

  const sendNext = async (sending: Sending) => {
    const { samples, list } = sending;
    unanswered = sending;
    await keep({ seq, unanswered: samples });
    try {
      await send(numberedMessage({ model, name, seq }, samples));
    } catch (error) {
      // SQS never takes it, so its number is free.
      if (isOfKind(error, 'invalid')) {
        unanswered = undefined;
        await keep({ seq });
      }
      throw error;
    }
    unanswered = undefined;
    seq += 1;
    if (list !== undefined) taken.set(list, samples.texts);
    await keep({ seq });
  };
  return {
    nextSeq: () => seq,
    async send(samples) {
      // As they are now: the caller may use its list again.
      const written = writtenSamples(samples);
      const { texts } = written;
      const sent = last.then(async () => {
        if (unanswered !== undefined) await sendNext(unanswered);
        // The message of a call that failed, which is tried again.
        if (isSameList(taken.get(samples), texts)) await keep({ seq });
        else if (texts.length > 0) await sendNext({ samples: written, list: samples });
        taken.delete(samples);
      });
      last = sent.catch(() => undefined);
      return sent;
    },
  };
}

/** A message on its way; after a restart nobody knows of what list it was made. */
type Sending = { readonly samples: WrittenSamples; readonly list?: object };

function isSameList(known: readonly string[] | undefined, texts: readonly string[]): boolean {
  return known?.length === texts.length && known.every((text, i) => text === texts[i]);
}

/** @throws MillraceError kind `invalid` of what is no list of samples, or cannot be JSON */
function writtenSamples(samples: unknown): WrittenSamples {
  if (!Array.isArray(samples))
    throw invalid(`samples: must be a list of samples (found ${show(samples)})`);
  const table = tableOf(samples);
  return table === undefined
    ? { texts: textsOf(samples) }
    : { texts: table.texts(), table: JSON.stringify(table) };
}

function textsOf(samples: readonly unknown[]): readonly string[] {
  // (A list may have holes.)
  return Array.from(samples, (sample: unknown, i) => {
    let text: string;
    try {
      text = textOf(sample) ?? 'null';
    } catch (cause) {
      throw invalid(`samples[${i}]: cannot be sent as JSON: ${reasonOf(cause)}`, cause);
    }
    assertDepth(text, `samples[${i}]`, limits.messageDepth - 2);
    return text;
  });
}

/** The JSON of a sample; integers of 64 bits are texts, which are read as numbers. */
function textOf(sample: unknown): string | undefined {
  try {
    return JSON.stringify(sample);
  } catch {
    return JSON.stringify(sample, plainJson);
  }
}

const keptSchema = z.object({
  seq: z.int().positive(),
  unanswered: z.array(z.unknown()).optional(),
});

function keptJson({ seq, unanswered }: Kept): string {
  return unanswered === undefined
    ? JSON.stringify({ seq })
    : `{"seq":${seq},"unanswered":[${unanswered.texts.join(',')}]}`;
}

/**
 * A {@link createProducer} that remembers its number, and the message that is on its way, in a
 * file: after a crash the next one goes on from there, and sends that message once more.
 *
 * @throws MillraceError kind `invalid` if the file holds something else
 */
export async function openProducer<Model extends ModelReference>(
  send: Sender,
  model: Model,
  name: string,
  file: string,
): Promise<Producer<SampleOf<Model>>> {
  const names = namesOf(model, name);
  const text = await readFile(file, 'utf8').catch((error: unknown) => {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw invalid(`${file}: it cannot be read: ${reasonOf(error)}`);
  });
  const { seq, unanswered } =
    text === undefined ? { seq: 1 } : parse(keptSchema, jsonOf(text, file), file);
  const from = { seq, unanswered: unanswered && writtenSamples(unanswered) };
  await makeFolder(dirname(file));
  const keep = (kept: Kept) => replaceFile(file, keptJson(kept));
  return startProducer(send, names, from, keep);
}

/**
 * A {@link createProducer} under a name of its own, which remembers nothing. It costs one of the
 * places for producers that a model has: right for a process that runs for days, not for one that
 * runs for seconds. What it had not sent when it crashed, it never sends.
 */
export function freshProducer<Model extends ModelReference>(
  { sendSamples, nonce }: Pick<Ports, 'sendSamples' | 'nonce'>,
  model: Model,
  prefix: string,
): Producer<SampleOf<Model>> {
  return createProducer(sendSamples, model, `${prefix}-${nonce()}`);
}
