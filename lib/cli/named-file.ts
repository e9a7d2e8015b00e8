import { buffer } from 'node:stream/consumers';
import { constants, gunzipSync } from 'node:zlib';
import { type ByteSource, bytesInMemory } from '../datasets/byte-source.ts';
import { openFile } from '../datasets/local-file.ts';
import type { Io } from './io.ts';
import type { Bar } from './progress.ts';

/**
 * A file of samples that is named on the command line; `-` is what is piped in, whose first bytes
 * tell its format.
 */
export async function withFile<Result>(
  path: string,
  use: (file: { readonly name: string; readonly bytes: ByteSource }) => Promise<Result>,
): Promise<Result> {
  if (path === '-') {
    const piped = await buffer(process.stdin);
    return use({ name: `standard-input${endingOf(piped)}`, bytes: bytesInMemory(piped) });
  }
  const file = await openFile(path);
  try {
    return await use({ name: path, bytes: file });
  } finally {
    await file.close();
  }
}

/** The ending of a file's name, by what the file begins with. */
function endingOf(bytes: Buffer): string {
  if (bytes.toString('latin1', 0, 4) === 'PAR1') return '.parquet';
  const start = startOf(bytes).toString('utf8');
  // Of UTF-16 its zeros and its mark are no characters of UTF-8.
  const text = start.replace(/[\0\ufeff\ufffd]/gu, '').trimStart();
  return text === '' || /^(\{\s*["}]|\[\s*([{\]]|$))/.test(text) ? '.jsonl' : '.csv';
}

/** The first text of a file, which may be gzip as a whole. */
function startOf(bytes: Buffer): Buffer {
  const start = bytes.subarray(0, 4_096);
  if (start[0] !== 0x1f || start[1] !== 0x8b) return start;
  try {
    return gunzipSync(start, { finishFlush: constants.Z_SYNC_FLUSH });
  } catch {
    // Whoever reads the file says what is wrong with it.
    return start;
  }
}

/** A bar that counts what is done, and appears once a second has passed. */
export function lateBar(
  { progress, ports }: Pick<Io, 'progress' | 'ports'>,
  title: string,
  unit: string,
): Bar {
  const started = ports.now();
  let bar: Bar | undefined;
  return {
    update(done) {
      if (ports.now() - started > 1_000)
        bar ??= progress?.bar(title, Number.POSITIVE_INFINITY, unit);
      bar?.update(done);
    },
    finish: () => bar?.finish(),
  };
}
