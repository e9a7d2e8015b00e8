import { rename, writeFile } from 'node:fs/promises';

/** Writes a file beside it first: a crash leaves the old one or the new one, never half of it. */
export async function replaceFile(path: string, text: string): Promise<void> {
  await writeFile(`${path}.new`, text, { flush: true });
  await rename(`${path}.new`, path);
}
