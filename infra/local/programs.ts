import { readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/**
 * A program of this folder that runs in a process of its own: a source here, and a bundle in the
 * published package.
 */
export function programOf(name: 'emulator' | 'function-process'): URL {
  const ending = import.meta.url.endsWith('.ts') ? 'ts' : 'js';
  return new URL(`./${name}.${ending}`, import.meta.url);
}

/**
 * The program of a function's process as JavaScript: to load what strips types takes longer than all
 * else until a process is there, and Lambda's has none to strip.
 *
 * @param folder where it is written, if it is a source
 */
export function functionProgram(folder: string): string {
  const program = fileURLToPath(programOf('function-process'));
  if (!program.endsWith('.ts')) return program;
  const { transformSync }: typeof import('esbuild') = createRequire(import.meta.url)('esbuild');
  const { code } = transformSync(readFileSync(program, 'utf8'), { loader: 'ts', format: 'esm' });
  const path = join(folder, 'function-process.mjs');
  writeFileSync(path, code);
  return path;
}
