import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';

it('uses no more memory after 100,000 calls than after 10,000', async () => {
  const program = join(import.meta.dirname, 'memory.ts');
  const { stdout } = await promisify(execFile)(process.execPath, [
    '--expose-gc',
    program,
    '100000',
  ]);
  const [early = Number.NaN, late = Number.NaN] = stdout.trim().split('\n').map(Number);
  expect(early).toBeGreaterThan(0);
  // A hundred bytes lost by each call would be 9 MiB.
  expect(late - early).toBeLessThan(8);
});
