import { buffer } from 'node:stream/consumers';
import { type ByteSource, bytesInMemory } from '../datasets/byte-source.ts';
import { type LocalFile, labelsBeside, openFile } from '../datasets/local-file.ts';
import { textOf } from '../datasets/text.ts';
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
    return use({ name: `standard-input${await endingOf(piped)}`, bytes: bytesInMemory(piped) });
  }
  const labels = labelsBeside(path);
  const file = await openFile(path);
  let beside: LocalFile | undefined;
  try {
    if (labels !== undefined) beside = await openFile(labels);
    return await use({ name: path, bytes: { ...file, beside } });
  } finally {
    await file.close();
    await beside?.close();
  }
}

/** The ending of a file's name, by what the file begins with. */
async function endingOf(bytes: Buffer): Promise<string> {
  if (bytes.toString('latin1', 0, 4) === 'PAR1') return '.parquet';
  if (bytes.toString('latin1', 0, 6) === 'ARROW1') return '.arrow';
  if (bytes.toString('latin1', 0, 6) === '\x93NUMPY') return '.npy';
  if (bytes.toString('latin1', 0, 4) === 'PK\x03\x04') return '.npz';
  const text = (await startOf(bytes)).toString('utf8', 0, 4_096).trimStart();
  return text === '' || /^(\{\s*["}]|\[\s*([{\]]|$))/.test(text) ? '.jsonl' : '.csv';
}

/** The first text of a file, packed or not. */
async function startOf(bytes: Buffer): Promise<Buffer> {
  try {
    for await (const piece of textOf(bytesInMemory(bytes))) if (piece.length > 0) return piece;
  } catch {
    // Whoever reads the file says what is wrong with it.
  }
  return bytes;
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
