import { reasonOf } from './errors.ts';

/** By the codes of Node. */
const readProblems: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file',
  ENOTDIR: 'what should be its folder is a file',
  EISDIR: 'it is a folder; name a file',
  EACCES: 'you may not read it',
  EPERM: 'you may not read it',
};

const writeProblems: Readonly<Record<string, string>> = {
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

/** Why a file of this machine cannot be read, in words. */
export function readProblem(cause: unknown): string {
  return readProblems[codeOf(cause)] ?? reasonOf(cause);
}

/** Why a file of this machine cannot be written, in words. */
export function writeProblem(cause: unknown): string {
  return writeProblems[codeOf(cause)] ?? reasonOf(cause);
}

function codeOf(cause: unknown): string {
  return (cause instanceof Error && (cause as NodeJS.ErrnoException).code) || '';
}
