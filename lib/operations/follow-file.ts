import * as z from 'zod';
import { digestOf } from '../bucket/safetensors.ts';
import { bytesInMemory } from '../datasets/byte-source.ts';
import { invalid } from '../errors.ts';
import { isLateLabel } from '../features/sample-id.ts';
import { limits } from '../limits.ts';
import type { Ports } from '../ports/ports.ts';
import { numberedMessage } from '../ports/producer.ts';
import type { Spec } from '../spec/spec.ts';
import {
  type Counted,
  type GrowingFile,
  type Head,
  headOf,
  linesBefore,
  newlinesIn,
  placedBehind,
  rowsOf,
} from './growing-rows.ts';
import { type PlacedReason, sampleWriter } from './send-file.ts';
import { labelsPerMessage, readSent } from './sent-rows.ts';

/** What following a file must remember over a restart. */
export const followedSchema = z.strictObject({
  producer: z.string(),
  /** The number of the next message. */
  seq: z.int().positive(),
  /** Bytes of the file that were sent. */
  sent: z.int().nonnegative(),
  /** A digest of the bytes before that place: another file has others there. */
  before: z.string().optional(),
  /** Where the message ends that may have arrived or not, under the next number. */
  until: z.int().positive().optional(),
});

/** How far a file was followed. */
export type Followed = z.output<typeof followedSchema>;

/** How a file is followed. */
export type FollowOptions = {
  readonly from: Followed;
  /** Remembers how far it is, before a message is sent and after it was taken. */
  readonly keep: (followed: Followed) => Promise<void>;
  readonly samplesPerMessage?: number;
  /** Waits some milliseconds; until it answers false, the file is followed. */
  readonly wait: (milliseconds: number) => Promise<boolean>;
  /** Told of each message: its samples, and the lines that could not be read. */
  readonly onSent: (samples: number, bad: readonly PlacedReason[]) => void;
  /** The spec that holds, asked before each message; the one that it began with unless given. */
  readonly specNow?: () => Promise<Spec>;
};

/** How often a file is looked at, in milliseconds. */
const lookMilliseconds = 250;

/**
 * Sends the rows of a text file as samples, and those that are written behind them as they come: a
 * row is sent once it ended. After a restart it goes on where it was, and learns nothing twice.
 *
 * @throws MillraceError kind `invalid` if the file became shorter, or holds no lines
 */
export async function followFile(
  ports: Pick<Ports, 'sendSamples'>,
  spec: Spec,
  file: GrowingFile,
  { from, keep, samplesPerMessage = 500, wait, onSent, specNow = async () => spec }: FollowOptions,
): Promise<void> {
  assertIsFollowed(file.name);
  const otherwise = `remove ${file.place ?? 'the place that is kept'}, or give it another name`;
  let head: Head | undefined;
  let counted: Counted = { end: 0, lines: 0 };
  let followed = from;
  let looks = 0;
  do {
    for (;;) {
      const size = await file.size();
      if (size < followed.sent)
        throw invalid(
          `${file.name} became shorter: ${size} bytes, ${followed.sent} were sent; if it is a new ` +
            `file, ${otherwise}`,
        );
      const { before = await bytesBefore(file, followed.sent) } = followed;
      if (before !== (await bytesBefore(file, followed.sent)))
        throw invalid(
          `${file.name} is another file: what was sent of it, up to byte ${followed.sent}, is not ` +
            `there any more; ${otherwise}`,
        );
      head ??= await headOf(file);
      if (head === undefined) break;
      const start = Math.max(followed.sent, head.bytes.length);
      const until = followed.until ?? Number.POSITIVE_INFINITY;
      const now = await specNow();
      const block = await messageOf(now, { file, head, start, until }, samplesPerMessage);
      if (block === undefined) break;
      const { texts, bad, end } = block;
      looks = 0;
      if (texts.length > 0) {
        const { producer: name, seq } = followed;
        await keep({ ...followed, until: end });
        await ports.sendSamples(numberedMessage({ model: spec.model, name, seq }, { texts }));
      }
      const { until: _, ...done } = followed;
      const seq = done.seq + Number(texts.length > 0);
      followed = { ...done, sent: end, seq, before: await bytesBefore(file, end) };
      await keep(followed);
      if (bad.length > 0) counted = await linesBefore(file, start, counted);
      const passed = counted.lines - newlinesIn(head.bytes);
      onSent(texts.length, placedBehind(passed, bad));
    }
    looks = (await file.isReplaced?.()) === true ? looks + 1 : 0;
    if (looks > looksAfterReplacing) throw await replaced(file, followed.sent, otherwise);
  } while (await wait(lookMilliseconds));
}

/** Looks in vain at a file that was replaced: its writer may go on for a while. */
const looksAfterReplacing = 20;

/** @throws MillraceError kind `invalid` if a file is none that can be followed */
export function assertIsFollowed(name: string): void {
  if (!/\.(csv|tsv|jsonl|ndjson)$/i.test(name))
    throw invalid(`${name}: only .csv, .tsv, .jsonl and .ndjson files are followed`);
}

async function replaced({ name, size }: GrowingFile, sent: number, otherwise: string) {
  const left = (await size()) - sent;
  const rest = left === 0 ? '' : ` but for its last ${left} bytes, which are no whole line`;
  return invalid(
    `${name} is another file by now; all of the one before is sent${rest}. To follow the new one, ` +
      `${otherwise}, and run the command again`,
  );
}

/** Bytes by which a file is known again. */
const knownBytes = 4_096;

/** A digest of the last bytes before a place of a file. */
async function bytesBefore(file: GrowingFile, end: number): Promise<string> {
  const start = Math.max(0, end - knownBytes);
  const bytes = end === 0 ? new Uint8Array() : await file.read(start, end - start);
  return digestOf(bytes.subarray(0, end - start)).slice(0, 16);
}

type Place = {
  readonly file: GrowingFile;
  readonly head: Head;
  readonly start: number;
  readonly until: number;
};

/** The next lines of a file as one message; fewer lines where they do not fit. */
async function messageOf(
  spec: Spec,
  { file, head, start, until }: Place,
  most: number,
): Promise<
  | {
      readonly texts: readonly string[];
      readonly bad: readonly PlacedReason[];
      readonly end: number;
    }
  | undefined
> {
  const write = sampleWriter(spec);
  // A message that was on its way is made of the same lines again.
  const isAgain = Number.isFinite(until);
  for (let count = isAgain ? until : most; count >= 1; count = Math.floor(count / 2)) {
    const block = await rowsOf(file, head, { start, until }, count);
    if (block === undefined) return undefined;
    const body = Buffer.concat([head.bytes, block]);
    const { texts, bad, areLate } = await samplesOfLines(spec, { name: file.name, body }, write);
    const size = texts.reduce((sum, text) => sum + Buffer.byteLength(text) + 1, 0);
    const isFew = !areLate || texts.length <= labelsPerMessage(spec);
    if ((size <= limits.messageBytes - 1_024 && isFew) || count === 1 || isAgain)
      return { texts, bad, end: start + block.length };
  }
  return undefined;
}

/** The samples of some lines as they are sent, and why others cannot be read. */
export async function samplesOfLines(
  spec: Spec,
  { name, body }: { readonly name: string; readonly body: Uint8Array },
  write: (sample: unknown) => string,
): Promise<{
  readonly texts: readonly string[];
  readonly bad: readonly PlacedReason[];
  /** Whether some are labels of what was asked before. */
  readonly areLate: boolean;
}> {
  let areLate = false;
  const texts: string[] = [];
  const bad: PlacedReason[] = [];
  for await (const chunk of readSent(spec, { name, bytes: bytesInMemory(body) })) {
    texts.push(...chunk.samples.map(write));
    areLate ||= chunk.samples.some(isLateLabel);
    bad.push(...chunk.bad.map(({ line, reason }) => ({ line, reason })));
  }
  return { texts, bad, areLate };
}
