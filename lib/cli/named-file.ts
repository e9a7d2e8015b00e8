import { buffer } from 'node:stream/consumers';
import { constants, gunzipSync } from 'node:zlib';
import { type ByteSource, bytesInMemory } from '../datasets/byte-source.ts';
import { openFile } from '../datasets/local-file.ts';
import type { Io } from './io.ts';
import type { Bar } from './progress.ts';

/**
 * A file of samples that is named on the command line; `-` is what is piped in, whose first bytes
 * tell its format. What takes longer than a second shows how much of it is read.
 */
export async function withFile<Result>(
  path: string,
  use: (file: { readonly name: string; readonly bytes: ByteSource }) => Promise<Result>,
  io: Partial<Pick<Io, 'progress' | 'ports'>> = {},
): Promise<Result> {
  if (path === '-') {
    const piped = await buffer(process.stdin);
    return use({ name: `standard-input${endingOf(piped)}`, bytes: bytesInMemory(piped) });
  }
  const file = await openFile(path);
  const bar = lateBar(io, file.sizeBytes);
  try {
    const read: ByteSource['read'] = (start, end) => {
      bar.update(end);
      return file.read(start, end);
    };
    return await use({ name: path, bytes: { sizeBytes: file.sizeBytes, read } });
  } finally {
    bar.finish();
    await file.close();
  }
}

/** The ending of a file's name, by what the file begins with. */
function endingOf(bytes: Buffer): string {
  if (bytes.toString('latin1', 0, 4) === 'PAR1') return '.parquet';
  const start = startOf(bytes).toString('utf8');
  // Of UTF-16 its zeros and its mark are no characters of UTF-8.
  const [first = '{'] = start.match(/[^\s\0\ufeff\ufffd]/u) ?? [];
  return first === '{' || first === '[' ? '.jsonl' : '.csv';
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

/** A bar over some bytes that appears once a second has passed. */
function lateBar({ progress, ports }: Partial<Pick<Io, 'progress' | 'ports'>>, bytes: number): Bar {
  const now = ports?.now ?? (() => 0);
  const started = now();
  let bar: Bar | undefined;
  return {
    update(done) {
      if (now() - started > 1_000) bar ??= progress?.bar('read', bytes / 1_000, 'kB');
      bar?.update(done / 1_000);
    },
    finish: () => bar?.finish(),
  };
}
