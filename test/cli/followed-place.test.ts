import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { locked } from '../../lib/cli/followed-place.ts';

const folder = mkdtempSync(join(tmpdir(), 'millrace-lock-'));
afterAll(() => rmSync(folder, { recursive: true }));

it.each([String(process.pid), '', '2147483646'])(
  'a lock that %j left is taken over',
  async (left) => {
    const lock = join(folder, 'a.lock');
    writeFileSync(lock, left);
    const release = await locked(lock, 'log.jsonl');
    expect(readFileSync(lock, 'utf8')).toBe(String(process.pid));
    await release();
    expect(() => readFileSync(lock)).toThrow('ENOENT');
  },
);

it('a lock that runs is told, and one that cannot be written is an error', async () => {
  const lock = join(folder, 'b.lock');
  writeFileSync(lock, String(process.ppid));
  await expect(locked(lock, 'log.jsonl')).rejects.toThrow(
    `log.jsonl is followed by process ${process.ppid} already; stop that one first`,
  );
  const tooLong = join(folder, `${'x'.repeat(300)}.lock`);
  await expect(locked(tooLong, 'log.jsonl')).rejects.toThrow('ENAMETOOLONG');
});
