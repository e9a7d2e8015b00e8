import { createHash } from 'node:crypto';
import { readFile, realpath, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { invalid } from '../errors.ts';
import { type Followed, followedSchema } from '../operations/follow-file.ts';
import { parse, parseJson } from '../parse.ts';
import { makeFolder } from '../ports/make-folder.ts';
import { replaceFile } from '../ports/replace-file.ts';

/** The file that keeps how far a file was followed. */
export async function placeOf(model: string, path: string): Promise<string> {
  const name = createHash('sha256')
    .update(`${model} ${await realpath(path)}`)
    .digest('hex');
  return join('.millrace', 'follow', `${name.slice(0, 16)}.json`);
}

/** @throws MillraceError kind `invalid` if some of a file was sent as it was followed */
export async function assertIsNotFollowed(model: string, path: string): Promise<void> {
  const place = await placeOf(model, path).catch(() => undefined);
  const followed = place === undefined ? undefined : await readPlace(place);
  if (followed === undefined || followed.sent === 0) return;
  throw invalid(
    `${path} was sent up to byte ${followed.sent} by --follow, and would be learnt twice; go on ` +
      `with --follow, or remove ${place} to send all of it once more`,
  );
}

/** How far a file was followed, if it was. */
export async function readPlace(path: string): Promise<Followed | undefined> {
  const text = await readFile(path, 'utf8').catch(() => undefined);
  return text === undefined
    ? undefined
    : parse(followedSchema, parseJson(text, path, 10_000), path);
}

/** Keeps how far a file was followed. */
export async function writePlace(path: string, followed: Followed): Promise<void> {
  await makeFolder(dirname(path));
  await replaceFile(path, JSON.stringify(followed));
}

/**
 * Holds a lock, so that no other command follows the same file: each would keep its own place.
 *
 * @returns what lets it go
 * @throws MillraceError kind `invalid` if another process holds it
 */
export async function locked(lock: string, path: string): Promise<() => Promise<void>> {
  await makeFolder(dirname(lock));
  for (;;) {
    const isOurs = await writeFile(lock, String(process.pid), { flag: 'wx' }).then(
      () => true,
      (error: NodeJS.ErrnoException) => {
        if (error.code !== 'EEXIST') throw error;
        return false;
      },
    );
    if (isOurs) return () => rm(lock, { force: true });
    const holder = Number(await readFile(lock, 'utf8').catch(() => ''));
    // (In a container that began again, the one that died had our number.)
    if (holder > 0 && holder !== process.pid && isRunning(holder))
      throw invalid(`${path} is followed by process ${holder} already; stop that one first`);
    await rm(lock, { force: true });
  }
}

function isRunning(id: number): boolean {
  try {
    return process.kill(id, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
