import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { blocksOf, textOf } from '../support/tutorial.ts';
import type { Question } from './ask.ts';

/** A Python that has NumPy; undefined if there is none on this machine. */
export const python = ['python3', '/usr/bin/python3'].find(
  (command) => spawnSync(command, ['-c', 'import numpy']).status === 0,
);

/** The code of docs/python.md that has something in it. */
export function documented(part: string): string {
  const blocks = blocksOf(textOf('docs/python.md'), 'python');
  const code = blocks.find((block) => block.includes(part));
  if (code === undefined) throw new Error(`docs/python.md has no ${part}`);
  return code;
}

/** What the code of docs/python.md answers, [rows, outputs]. */
export function askPython(
  files: Readonly<Record<string, Uint8Array | string>>,
  questions: readonly Question[],
): Float64Array {
  const folder = mkdtempSync(join(tmpdir(), 'millrace-python-'));
  try {
    for (const [name, body] of Object.entries(files)) writeFileSync(join(folder, name), body);
    const program = `${documented('def predict(')}
import sys
print(json.dumps(predict(sys.argv[1], json.load(sys.stdin)).ravel().tolist()))
`;
    writeFileSync(join(folder, 'ask.py'), program);
    const output = execFileSync(python ?? 'python3', [join(folder, 'ask.py'), folder], {
      input: JSON.stringify(questions),
      encoding: 'utf8',
    });
    return Float64Array.from(JSON.parse(output));
  } finally {
    rmSync(folder, { recursive: true });
  }
}
