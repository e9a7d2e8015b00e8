/**
 * A program of this folder that runs in a process of its own: a source here, and a bundle in the
 * published package.
 */
export function programOf(name: 'emulator' | 'function-process'): URL {
  const ending = import.meta.url.endsWith('.ts') ? 'ts' : 'js';
  return new URL(`./${name}.${ending}`, import.meta.url);
}
