import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { basename } from 'node:path';
import { keys } from '../bucket/keys.ts';
import type { ObjectStore } from '../bucket/object-store.ts';
import { invalid } from '../errors.ts';
import { readProblem } from '../file-problems.ts';
import type { Upload } from '../ports/ports.ts';

/** What became of the files. */
export type PutDataset = {
  readonly uploaded: readonly string[];
  /** Those of them in whose place were others of the same name. */
  readonly replaced: readonly string[];
  /** Files that were there already, with the same bytes. */
  readonly unchanged: readonly string[];
};

/** The bytes of one part of an upload: S3 takes 10,000 parts of an object. */
export function partBytesOf(sizeBytes: number): number {
  return 8 * 1_048_576 * Math.max(1, Math.ceil(sizeBytes / (8 * 1_048_576 * 10_000)));
}

/**
 * Puts files into a dataset, under their own names. Started again after it broke off, it passes
 * over the files that are there already.
 *
 * @param onBytes called with the bytes that are done, of all files
 * @throws MillraceError kind `invalid` if two files have one name, or one cannot be read
 */
export async function putDataset(
  store: ObjectStore,
  upload: Upload,
  { dataset, paths }: { readonly dataset: string; readonly paths: readonly string[] },
  onBytes: (done: number) => void = () => undefined,
): Promise<PutDataset> {
  const names = paths.map((path) => basename(path));
  const twice = names.find((name, place) => names.indexOf(name) !== place);
  if (twice !== undefined)
    throw invalid(`two files are named ${twice}; a dataset has one of a name, so rename the other`);
  const prefix = keys.dataset(dataset);
  const there = new Map((await store.list(prefix)).map(({ key, etag }) => [key, etag]));
  const [uploaded, replaced, unchanged]: [string[], string[], string[]] = [[], [], []];
  let done = 0;
  for (const path of paths) {
    const key = `${prefix}${basename(path)}`;
    const sizeBytes = await sizeOf(path);
    const etag = there.get(key);
    if (etag !== undefined && etag === (await etagOfFile(path, sizeBytes))) unchanged.push(key);
    else {
      const before = done;
      const file = { path, partBytes: partBytesOf(sizeBytes) };
      await upload(key, file, (bytes) => onBytes(before + bytes));
      uploaded.push(key);
      if (etag !== undefined) replaced.push(key);
    }
    done += sizeBytes;
    onBytes(done);
  }
  return { uploaded, replaced, unchanged };
}

/** The bytes of files together. @throws as {@link putDataset} */
export async function bytesOfFiles(paths: readonly string[]): Promise<number> {
  let sum = 0;
  for (const path of paths) sum += await sizeOf(path);
  return sum;
}

async function sizeOf(path: string): Promise<number> {
  const found = await stat(path).catch((cause: unknown) => {
    throw invalid(`${path} cannot be read: ${readProblem(cause)}`);
  });
  if (found.isFile() && found.size > 0) return found.size;
  if (found.isFile()) throw invalid(`${path} is empty: there is no row in it; leave it out`);
  throw invalid(`${path} is no file; name the files in it`);
}

/** The ETag that S3 gives an upload of these bytes, in one part or in several. */
async function etagOfFile(path: string, sizeBytes: number): Promise<string> {
  const digests: Buffer[] = [];
  const partBytes = partBytesOf(sizeBytes);
  for (let start = 0; start < Math.max(1, sizeBytes); start += partBytes) {
    const hash = createHash('md5');
    const end = Math.min(start + partBytes, sizeBytes) - 1;
    if (end >= start)
      for await (const piece of createReadStream(path, { start, end })) hash.update(piece);
    digests.push(hash.digest());
  }
  const [first] = digests;
  if (sizeBytes <= partBytes && first !== undefined) return `"${first.toString('hex')}"`;
  const joined = createHash('md5').update(Buffer.concat(digests)).digest('hex');
  return `"${joined}-${digests.length}"`;
}
