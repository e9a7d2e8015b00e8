import { hash } from 'node:crypto';
import { appendFile, mkdir, readdir, readFile, rm, stat } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import * as z from 'zod';
import { jsonIfAny } from '../parse.ts';

/** A part of an object that S3 has, and the MD5 of the file's bytes that it was made of. */
export type UploadedPart = z.output<typeof partSchema>;

const beginSchema = z.object({ upload: z.string().min(1) });
const partSchema = z.object({
  part: z.int().positive(),
  etag: z.string(),
  md5: z.string(),
  crc32: z.string().optional(),
});

/**
 * What is known on this machine of an upload that is under way: S3's id of it, and its parts. One
 * that broke off is gone on with from here.
 */
export type UploadRecord = {
  /** Absent before the upload is begun. */
  readonly upload?: string;
  readonly parts: ReadonlyMap<number, UploadedPart>;
  readonly begin: (upload: string) => Promise<void>;
  readonly add: (part: UploadedPart) => Promise<void>;
  readonly remove: () => Promise<void>;
};

/** Records that nobody comes back for; S3 drops such parts after a week. */
const keptMilliseconds = 7 * 86_400_000;

/** Where records are, and the time. */
export type UploadRecords = { readonly folder: string; readonly now: () => number };

/** The folder of a user's records. */
export function recordFolder(environment: Readonly<Record<string, string | undefined>>): string {
  const { XDG_CACHE_HOME: cache = '' } = environment;
  return join(cache === '' ? join(homedir(), '.cache') : cache, 'millrace', 'uploads');
}

/** The record of an upload by what it uploads: of another file or part size it is a new one. */
export async function openRecord(
  { folder, now }: UploadRecords,
  identity: readonly (string | number)[],
): Promise<UploadRecord> {
  await mkdir(folder, { recursive: true });
  await removeOlder(folder, now() - keptMilliseconds);
  const name = hash('sha256', JSON.stringify(identity));
  const path = join(folder, `${name}.jsonl`);
  const [first = '', ...rest] = (await readFile(path, 'utf8').catch(() => '')).split('\n');
  const begun = beginSchema.safeParse(jsonIfAny(first)).data;
  // (A line that was cut off is that of a part that is uploaded again.)
  const parts = rest.flatMap((line) => partSchema.safeParse(jsonIfAny(line)).data ?? []);
  const write = (line: object) => appendFile(path, `${JSON.stringify(line)}\n`);
  return {
    ...begun,
    parts: new Map(begun ? parts.map((each) => [each.part, each]) : []),
    async begin(upload) {
      await rm(path, { force: true });
      await write({ upload });
    },
    add: write,
    remove: () => rm(path, { force: true }),
  };
}

async function removeOlder(folder: string, than: number): Promise<void> {
  for (const name of await readdir(folder)) {
    const path = join(folder, name);
    const { mtimeMs } = await stat(path).catch(() => ({ mtimeMs: Number.POSITIVE_INFINITY }));
    if (mtimeMs < than) await rm(path, { force: true });
  }
}
