import { type FileHandle, open, stat } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import { openFile } from '../datasets/local-file.ts';
import { invalid } from '../errors.ts';
import { readProblem } from '../file-problems.ts';
import { limits } from '../limits.ts';
import {
  assertIsFollowed,
  type Followed,
  followFile,
  samplesOfLines,
} from '../operations/follow-file.ts';
import { placedBehind } from '../operations/growing-rows.ts';
import { type PlacedReason, sampleWriter } from '../operations/send-file.ts';
import { sentBefore } from '../operations/sent-content.ts';
import { freshProducer } from '../ports/producer.ts';
import { canonicalJson } from '../spec/identity.ts';
import type { Spec } from '../spec/spec.ts';
import { locked, placeOf, readPlace, writePlace } from './followed-place.ts';
import { count, type Io } from './io.ts';
import { formatCount } from './progress.ts';
import { specOf } from './train.ts';

/** How a file is followed. */
export type FollowArguments = {
  readonly samplesPerMessage?: number | undefined;
  /** Where it begins with a file that was not followed before. */
  readonly begin?: string | undefined;
};

/** Sends a file's lines, and those that are written behind them, until Ctrl-C. */
export async function follow(
  io: Io,
  model: string,
  path: string,
  { samplesPerMessage = 500, begin }: FollowArguments,
): Promise<number> {
  const spec = await specOf(io, model);
  const stop = new AbortController();
  process.once('SIGINT', () => stop.abort());
  process.once('SIGTERM', () => stop.abort());
  let [total, unsent] = [0, 0];
  const onSent = (samples: number, bad: readonly PlacedReason[]) => {
    total += samples;
    unsent += bad.length;
    for (const { line, reason } of bad.slice(0, shownLines))
      io.print(`  not sent, line ${line}: ${reason}`);
    if (bad.length > shownLines) io.print(`  not sent: ${bad.length - shownLines} lines more`);
    if (samples > 0)
      io.print(`${model}: ${count(samples, 'sample')} sent, ${formatCount(total)} so far`);
  };
  const specNow = specAsItChanges(io, spec);
  const following = { io, spec, specNow, samplesPerMessage, onSent, signal: stop.signal };
  const producer =
    path === '-' ? await followInput(following) : await followPath(following, path, begin);
  io.result({ producer, samples: total, ...(unsent > 0 && { notSent: unsent }) });
  if (unsent === 0) return 0;
  io.print(`  ${count(unsent, 'line')} not sent; mend what is told, and send that as another file`);
  return 1;
}

/** Lines of a message that were not sent, as they are told. */
const shownLines = 10;

/** How often it is looked whether the spec was changed, in milliseconds. */
const specLookMilliseconds = 5_000;

/** The spec of a model, looked at now and then: which columns are sent, it says. */
function specAsItChanges(io: Io, first: Spec): () => Promise<Spec> {
  let spec = first;
  let lookedAt = io.ports.now();
  return async () => {
    if (io.ports.now() - lookedAt < specLookMilliseconds) return spec;
    lookedAt = io.ports.now();
    const now = await specOf(io, first.model);
    if (canonicalJson(now) !== canonicalJson(spec))
      io.print(`${first.model}: its spec was changed; lines are sent as the new one wants them`);
    spec = now;
    return spec;
  };
}

type Following = {
  readonly io: Io;
  readonly spec: Spec;
  readonly specNow: () => Promise<Spec>;
  readonly samplesPerMessage: number;
  readonly onSent: (samples: number, bad: readonly PlacedReason[]) => void;
  readonly signal: AbortSignal;
};

async function followPath(
  { io: { ports, print }, spec, specNow, samplesPerMessage, onSent, signal }: Following,
  path: string,
  begin: string | undefined,
): Promise<string> {
  assertIsFollowed(path);
  const file = await open(path).catch((cause: unknown) => {
    throw invalid(`${path} cannot be read: ${readProblem(cause)}`, cause);
  });
  const place = await placeOf(spec.model, path);
  const release = await locked(`${place}.lock`, path);
  try {
    const from =
      (await readPlace(place)) ?? (await firstPlace(ports, spec.model, { path, file, begin }));
    print(`${path} is followed from byte ${formatCount(from.sent)} on; ${place} keeps the place`);
    await followFile(
      ports,
      spec,
      {
        name: path,
        place,
        size: async () => (await file.stat()).size,
        isReplaced: () => isReplaced(path, file),
        async read(start, most) {
          const { buffer, bytesRead } = await file.read(Buffer.alloc(most), 0, most, start);
          return buffer.subarray(0, bytesRead);
        },
      },
      {
        from,
        keep: (followed) => writePlace(place, followed),
        samplesPerMessage,
        specNow,
        wait: (milliseconds) => delay(milliseconds, true, { signal }).catch(() => false),
        onSent,
      },
    );
    return from.producer;
  } finally {
    await release();
    await file.close();
  }
}

/** Whether another file stands in the place of one that is open, as behind a rotation. */
async function isReplaced(path: string, file: FileHandle): Promise<boolean> {
  const [own, there] = [await file.stat(), await stat(path).catch(() => undefined)];
  return there !== undefined && there.ino !== own.ino;
}

/** Where a file begins that was not followed before: what it holds may have been sent. */
async function firstPlace(
  ports: Io['ports'],
  model: string,
  {
    path,
    file,
    begin,
  }: { readonly path: string; readonly file: FileHandle; readonly begin: string | undefined },
): Promise<Followed> {
  const first = { producer: `follow-${ports.nonce()}`, seq: 1 };
  if (begin === 'end') return { ...first, sent: (await file.stat()).size };
  const bytes = await openFile(path);
  const before = await sentBefore(ports, model, bytes).finally(bytes.close);
  if (before === undefined || begin === 'start') return { ...first, sent: 0 };
  if (begin === 'sent') return { ...first, sent: before.bytes };
  throw invalid(
    `${path} was sent before, up to byte ${before.bytes}, as producer ${before.producer}, and would ` +
      'be learnt twice: --from sent goes on there, --from end sends what is written from now on, ' +
      '--from start all of it',
  );
}

/** Bytes of lines that fit into one message, as samples too. */
const messageOfLines = limits.messageBytes / 4;

/** How many of some lines fit into one message; one at least. */
function linesWithin(lines: readonly string[], most: number): number {
  let bytes = 0;
  const end = lines.findIndex((line, i) => {
    bytes += Buffer.byteLength(line);
    return i >= most || (i > 0 && bytes > messageOfLines);
  });
  return end < 0 ? lines.length : end;
}

/** Lines that are piped in are sent as they come: what came within a second is one message. */
async function followInput({
  io: { ports, print },
  spec,
  specNow,
  samplesPerMessage,
  onSent,
  signal,
}: Following): Promise<string> {
  const prefix = 'follow';
  const producer = freshProducer(ports, spec.model, prefix);
  const held: string[] = [];
  let passed = 0;
  const flush = async () => {
    const taken = held.splice(0, linesWithin(held, samplesPerMessage));
    if (taken.length === 0) return;
    const file = { name: 'standard-input.jsonl', body: Buffer.from(`${taken.join('\n')}\n`) };
    const now = await specNow();
    const { texts, bad } = await samplesOfLines(now, file, sampleWriter(now));
    const samples = texts.map((text): unknown => JSON.parse(text));
    if (samples.length > 0) await producer.send(samples);
    onSent(samples.length, placedBehind(passed, bad));
    if (passed === 0 && bad.length === taken.length)
      print('  what is piped in and followed must be JSON Lines: a sample, or a row, in each');
    passed += taken.length;
  };
  const reader = createInterface({ input: process.stdin, signal });
  const ended = Promise.withResolvers<void>();
  reader.on('line', (line) => {
    held.push(line);
    if (held.length >= 10 * samplesPerMessage) reader.pause();
  });
  reader.once('close', () => ended.resolve());
  let isOpen = true;
  while (isOpen) {
    isOpen = await Promise.race([delay(1_000, true), ended.promise.then(() => false)]);
    while (held.length > 0) await flush();
    if (isOpen) reader.resume();
  }
  return prefix;
}
