import { existsSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { invalid } from '../errors.ts';
import { readProblem } from '../file-problems.ts';
import type { ByteSource } from './byte-source.ts';
import { labelsOf } from './file-names.ts';

/** A file of this machine, open for reading. */
export type LocalFile = ByteSource & { readonly close: () => Promise<void> };

/** The file of labels that lies beside one of images; see {@link labelsOf}. */
export function labelsBeside(path: string): string | undefined {
  return labelsOf(path).find((name) => existsSync(name));
}

/** Opens a file. @throws MillraceError kind `invalid` if it cannot be read */
export async function openFile(path: string): Promise<LocalFile> {
  try {
    const file = await open(path);
    const stat = await file.stat();
    if (stat.isDirectory()) throw new Error('it is a folder; name a file');
    const { size: sizeBytes } = stat;
    return {
      sizeBytes,
      async read(start, end) {
        const bytes = Buffer.alloc(end - start);
        const { bytesRead } = await file.read(bytes, 0, bytes.length, start);
        return bytes.subarray(0, bytesRead);
      },
      close: () => file.close(),
    };
  } catch (cause) {
    throw invalid(`${path} cannot be read: ${readProblem(cause)}`, cause);
  }
}
