import * as z from 'zod';
import { limits } from '../limits.ts';

const slug = /^[a-z0-9](?:[a-z0-9-]{0,62}[a-z0-9])?$/;
const slugRule = '1 to 64 of a-z, 0-9 and -, beginning and ending with a letter or digit';

/** Names that become part of a key: nothing else ever does. */
export const modelName = z.string().regex(slug, `a model's name must be ${slugRule}`);
/**
 * What lies below a model: patterns of permissions, whose `*` is any text, would take a job of such
 * a name for it. A test holds these to the policies.
 */
const reserved = [
  ...['journal', 'segments', 'checkpoints', 'caught-up', 'quarantine', 'resends', 'jobs'],
  ...['spec', 'specs'],
];

/** A batch job's id; a UUID is one. */
export const jobId = z.string().regex(slug, `a job's id must be ${slugRule}`);
/** The id of a job that is to begin. */
export const newJobId = jobId.refine(
  (id) => !reserved.includes(id),
  `a job cannot be named ${reserved.join(', ')}`,
);
/** The name of files of a dataset, or of one; `*` stands for any characters. */
export const fileNames = z.string().min(1).max(256);

/** The name of a dataset below `datasets/`. */
export const datasetName = z.string().regex(slug, `a dataset's name must be ${slugRule}`);
/** The name of a sender that numbers its messages. */
export const producerName = z.string().min(1).max(limits.producerCharacters);

/** Whether `name` may become part of a key as a model's name. */
export function isModelName(name: string): boolean {
  return slug.test(name);
}

/** How the producer of a file is called, but for the size of its messages, which follows. */
export function fileProducer(digest: string): string {
  return `file-${digest.slice(0, 16)}-`;
}

/** The same of a producer's name, if it is a file's. */
export function fileOfProducer(name: string): string | undefined {
  return /^file-[0-9a-f]{16}-(?=\d+$)/.exec(name)?.[0];
}
