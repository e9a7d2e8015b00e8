import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';

const program = fileURLToPath(new URL('interrupted-bar.ts', import.meta.url));

it.each([
  [[], { status: 130, stdout: '' }],
  [['listens'], { status: 0, stdout: 'it goes on\n' }],
])('a bar ends an interrupted program unless somebody else listens: %j', (args, expected) => {
  const { status, stdout } = spawnSync(process.execPath, [program, ...args], { encoding: 'utf8' });
  expect({ status, stdout }).toEqual(expected);
});
