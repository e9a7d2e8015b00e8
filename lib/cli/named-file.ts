import { buffer } from 'node:stream/consumers';
import { type ByteSource, bytesInMemory } from '../datasets/byte-source.ts';
import { openFile } from '../datasets/local-file.ts';
import type { Io } from './io.ts';
import type { Bar } from './progress.ts';

/**
 * A file of samples that is named on the command line; `-` is what is piped in, as JSON Lines. What
 * takes longer than a second shows how much of it is read.
 */
export async function withFile<Result>(
  path: string,
  use: (file: { readonly name: string; readonly bytes: ByteSource }) => Promise<Result>,
  io: Partial<Pick<Io, 'progress' | 'ports'>> = {},
): Promise<Result> {
  if (path === '-') {
    const bytes = bytesInMemory(await buffer(process.stdin));
    return use({ name: 'standard-input.jsonl', bytes });
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
