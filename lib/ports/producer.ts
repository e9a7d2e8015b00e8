import { hash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { z } from 'zod';
import { invalid, isOfKind, reasonOf } from '../errors.ts';
import { jsonOf, parse, plainJson, show } from '../parse.ts';
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
   * Sends the next message. Messages are sent one after the other, in the order of the calls. If
   * one fails, its number stays its own: the next call sends it again first, under the same number.
   */
  readonly send: (samples: readonly Sample[]) => Promise<void>;
  /** The number that the next message gets. */
  readonly nextSeq: () => number;
};

/** What stands for the content of a message: its JSON, without the number. */
export function contentDigest(content: object): string {
  return digestOfJson(JSON.stringify(content));
}

function digestOfJson(json: string): string {
  return hash('sha256', json).slice(0, 16);
}

/**
 * A message of samples, each as JSON, under a producer's number. Its deduplication id has its
 * content: a number that was used for something else must reach the model, to be noticed there.
 */
export function numberedMessage(
  { model, name, seq }: { readonly model: string; readonly name: string; readonly seq: number },
  samples: readonly string[],
) {
  const content = `"samples":[${samples.join(',')}]}`;
  return {
    body: `{"producer":${JSON.stringify(name)},"seq":${seq},${content}`,
    group: model,
    deduplication: deduplicationId(model, name, seq, digestOfJson(`{${content}`)),
  };
}

/** What a producer must remember over a restart. */
type Kept = {
  /** The number of the next message. */
  readonly seq: number;
  /** The samples, each as JSON, of a message that may have arrived or not, under that number. */
  readonly unanswered?: readonly string[] | undefined;
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
  const producer = { model: nameOf(model), name };
  return startProducer(send, producer, { seq: nextSeq }, async () => undefined);
}

/** @param keep is told what to remember, before a message is sent and after it was taken */
function startProducer(
  send: Sender,
  { model, name }: { readonly model: string; readonly name: string },
  from: Kept,
  keep: (kept: Kept) => Promise<void>,
): Producer {
  let { seq, unanswered } = from;
  let last: Promise<void> = Promise.resolve();

  const sendNext = async (texts: readonly string[]) => {
    unanswered = texts;
    await keep({ seq, unanswered });
    try {
      await send(numberedMessage({ model, name, seq }, texts));
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
    await keep({ seq });
  };
  return {
    nextSeq: () => seq,
    async send(samples) {
      // As they are now: the caller may use its list again.
      const texts = textsOf(samples);
      const sent = last.then(async () => {
        if (unanswered !== undefined) await sendNext(unanswered);
        await sendNext(texts);
      });
      last = sent.catch(() => undefined);
      return sent;
    },
  };
}

/** @throws MillraceError kind `invalid` of what is no list of samples, or cannot be JSON */
function textsOf(samples: unknown): readonly string[] {
  if (!Array.isArray(samples))
    throw invalid(`samples: must be a list of samples (found ${show(samples)})`);
  // (A list may have holes.)
  return Array.from(samples, (sample: unknown, i) => {
    try {
      return textOf(sample) ?? 'null';
    } catch (cause) {
      throw invalid(`samples[${i}]: cannot be sent as JSON: ${reasonOf(cause)}`, cause);
    }
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
    : `{"seq":${seq},"unanswered":[${unanswered.join(',')}]}`;
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
  const text = await readFile(file, 'utf8').catch((error: unknown) => {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw invalid(`${file}: it cannot be read: ${reasonOf(error)}`);
  });
  const { seq, unanswered } =
    text === undefined ? { seq: 1 } : parse(keptSchema, jsonOf(text, file), file);
  const from = { seq, unanswered: unanswered && textsOf(unanswered) };
  await makeFolder(dirname(file));
  const keep = (kept: Kept) => replaceFile(file, keptJson(kept));
  return startProducer(send, { model: nameOf(model), name }, from, keep);
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
