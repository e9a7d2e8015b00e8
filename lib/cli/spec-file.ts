import { readFile, writeFile } from 'node:fs/promises';
import { text as textOf } from 'node:stream/consumers';
import { invalid } from '../errors.ts';
import { readProblem, writeProblem } from '../file-problems.ts';
import { jsonOf, show } from '../parse.ts';
import type { SpecInput } from '../spec/spec.ts';

/** A spec in a file of JSON, or piped in (`-`), not checked yet. @throws MillraceError kind `invalid` */
export async function readSpecFile(path: string): Promise<SpecInput> {
  const read = path === '-' ? textOf(process.stdin) : readFile(path, 'utf8');
  const text = await read.catch((cause: unknown) => {
    throw invalid(`${path} cannot be read: ${readProblem(cause)}`, cause);
  });
  return inputOf(path, text.replace(/^\uFEFF/, ''));
}

/**
 * Writes a spec to a file.
 *
 * @param isForced whether it may take the place of a file that is there
 * @throws MillraceError kind `invalid` if there is one that may not, or it cannot be written
 */
export async function writeSpecFile(
  path: string,
  spec: SpecInput,
  isForced?: boolean,
): Promise<void> {
  const text = `${JSON.stringify(spec, null, 2)}\n`;
  await writeFile(path, text, { flag: isForced ? 'w' : 'wx' }).catch((cause: unknown) => {
    const others = ['--out names another file'];
    if (isForced === false && isThere(cause)) others.push('--force writes over it');
    throw invalid(`${path} cannot be written: ${writeProblem(cause)}; ${others.join(', ')}`, cause);
  });
}

function isThere(cause: unknown): boolean {
  return cause instanceof Error && 'code' in cause && cause.code === 'EEXIST';
}

function inputOf(path: string, text: string): SpecInput {
  if (isTable(path))
    throw invalid(
      `${path}: must be a spec, of JSON (found a table by its name); draft one of it: ` +
        `npx millrace init ${path}`,
    );
  const read = jsonOf(text, path);
  if (typeof read !== 'object' || read === null || Array.isArray(read))
    throw invalid(`${path}: must be a spec, a JSON object (found ${show(read)})`);
  const twice = repeatedKey(text);
  if (twice !== undefined)
    throw invalid(
      `${path}: ${show(twice)} is there twice in one object; only the last would count`,
    );
  // Its fields are checked as those of any spec; editors complete a file that names its schema.
  const { $schema: _, ...input } = read as { $schema?: unknown };
  return input as SpecInput;
}

/** Whether a file's name says that rows are in it. */
function isTable(path: string): boolean {
  return /\.(csv|tsv|jsonl|ndjson|parquet|arrow|feather)(\.(gz|zst))?$/i.test(path);
}

/** A key that one of the objects of a valid text of JSON has twice: `JSON.parse` takes the last. */
function repeatedKey(text: string): string | undefined {
  const open: (Set<string> | undefined)[] = [];
  for (const { 0: token, 1: isKey } of text.matchAll(/"(?:[^"\\]|\\.)*"(\s*:)?|[{}[\]]/g)) {
    if (token === '{') open.push(new Set());
    else if (token === '[') open.push(undefined);
    else if (token === '}' || token === ']') open.pop();
    else if (isKey !== undefined) {
      const key: string = JSON.parse(token.slice(0, token.lastIndexOf('"') + 1));
      const keys = open.at(-1);
      if (keys?.has(key)) return key;
      keys?.add(key);
    }
  }
  return undefined;
}
