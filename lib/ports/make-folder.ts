import { mkdir } from 'node:fs/promises';
import { dirname } from 'node:path';

/**
 * Makes a folder, with those above it. Node's own `recursive` has no end where the file system lets
 * nobody make any, as below /proc.
 */
export async function makeFolder(path: string): Promise<void> {
  const made = mkdir(path).catch(throwUnlessThere);
  await made.catch(async (error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOENT' || dirname(path) === path) throw error;
    await makeFolder(dirname(path));
    await mkdir(path).catch(throwUnlessThere);
  });
}

function throwUnlessThere(error: NodeJS.ErrnoException): void {
  if (error.code !== 'EEXIST') throw error;
}
