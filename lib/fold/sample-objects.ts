import { isUtf8 } from 'node:buffer';
import type { ObjectStore } from '../bucket/object-store.ts';
import type { SampleList } from '../commands/command.ts';
import { bytesInMemory } from '../datasets/byte-source.ts';
import { unpackerFor } from '../datasets/unpack.ts';
import { reasonOf } from '../errors.ts';
import { limits } from '../limits.ts';
import { parseJson } from '../parse.ts';
import { type Refused, refuse } from '../refusal.ts';

/**
 * The samples of an `s3://` message: JSON Lines, plain, gzip or zstd, one sample a line, below
 * `datasets/` of the stack's own bucket. Refused if the object is elsewhere, missing or too large;
 * of a line that is no JSON only the line is.
 */
export async function readSampleObject(
  store: ObjectStore,
  uri: string,
): Promise<SampleList | Refused> {
  const prefix = `s3://${store.bucket}/`;
  if (!uri.startsWith(`${prefix}datasets/`))
    return no(`must be below ${prefix}datasets/ (found ${uri})`);
  const key = uri.slice(prefix.length);
  // It is asked for its size first: other models share this invocation's memory.
  const listed = (await store.list(key)).find((each) => each.key === key);
  if (listed === undefined) return no(`there is no object ${uri}`);
  if (listed.sizeBytes > limits.sampleObjectBytes) {
    const most = limits.sampleObjectBytes;
    return no(`${uri} has ${listed.sizeBytes} bytes; at most ${most} are allowed, split it`);
  }
  const object = await store.get(key);
  if (object === undefined) return no(`there is no object ${uri}`);
  const unpacked = await unpack(object.body, uri);
  return unpacked.ok ? parseLines(unpacked.text, uri) : unpacked;
}

function parseLines(text: string, uri: string): SampleList | Refused {
  const unreadable = new Map<number, string>();
  const samples: unknown[] = [];
  let number = 0;
  for (const line of linesOf(text)) {
    number += 1;
    if (line.trim() === '') continue;
    if (samples.length >= limits.messageSamples)
      return no(`at most ${limits.messageSamples} samples a message; ${uri} has more, split it`);
    try {
      samples.push(parseJson(line, `line ${number} of ${uri}`));
    } catch (error) {
      unreadable.set(samples.length, reasonOf(error));
      samples.push(line.slice(0, limits.badRowCharacters));
    }
  }
  return samples.length === 0 ? no(`${uri} holds no sample`) : { ok: true, samples, unreadable };
}

/** The lines of a text, one by one: a text of line ends alone has as many as bytes. */
function* linesOf(text: string): Generator<string> {
  const lineEnd = /\r\n|\n|\r/g;
  let start = 0;
  for (let end = lineEnd.exec(text); end !== null; end = lineEnd.exec(text)) {
    yield text.slice(start, end.index);
    start = lineEnd.lastIndex;
  }
  yield text.slice(start);
}

async function unpack(
  body: Uint8Array,
  uri: string,
): Promise<{ readonly ok: true; readonly text: string } | Refused> {
  const most = limits.sampleObjectBytes;
  const pieces: Uint8Array[] = [];
  let sizeBytes = 0;
  try {
    for await (const piece of unpackerFor(body)?.(bytesInMemory(body)) ?? [body]) {
      sizeBytes += piece.length;
      if (sizeBytes > most)
        return no(`${uri} has more than ${most} bytes when unpacked, which is what is allowed`);
      pieces.push(piece);
    }
  } catch (cause) {
    return no(`${uri} cannot be read: ${reasonOf(cause)}`);
  }
  const bytes = Buffer.concat(pieces);
  if (!isUtf8(bytes)) return no(`${uri} must be UTF-8`);
  return { ok: true, text: bytes.toString('utf8').replace(/^\ufeff/, '') };
}

function no(reason: string): Refused {
  return refuse('unreadable-object', `samples: ${reason}`);
}
