import { reasonOf } from '../errors.ts';

const problems: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such folder',
  ENOTDIR: 'what should be its folder is a file',
  EISDIR: 'it is a folder; name a file',
  EEXIST: 'it is there already',
  EACCES: 'you may not write it',
  EPERM: 'you may not write it',
  EROFS: 'its disk can only be read',
  ENOSPC: 'its disk is full',
  ENAMETOOLONG: 'its name is too long',
};

/** Why a file of this machine cannot be written, in words. */
export function writeProblem(cause: unknown): string {
  const { code = '' } = cause instanceof Error ? (cause as NodeJS.ErrnoException) : {};
  return problems[code] ?? reasonOf(cause);
}
