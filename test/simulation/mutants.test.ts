import { execFile } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, describe, expect, it } from 'vitest';
import { projectDirectory } from '../../infra/local/synthesize.ts';
import { type Mutant, mutants } from './mutants.ts';

/** Below the project, so that the copies find its packages. */
const scratch = join(projectDirectory, '.millrace');
mkdirSync(scratch, { recursive: true });
const directory = mkdtempSync(join(scratch, 'mutants-'));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

/** A copy of the code and its simulator, with the mutant's edits. */
function copyWith({ name, edits }: Mutant, index: number): string {
  const copy = join(directory, String(index));
  for (const part of ['lib', 'test/simulation', 'package.json']) {
    cpSync(join(projectDirectory, part), join(copy, part), { recursive: true });
  }
  for (const { file, find, replace } of edits) {
    const source = readFileSync(join(copy, file), 'utf8');
    expect(source.split(find), `${name}: the text to change is once in ${file}`).toHaveLength(2);
    writeFileSync(
      join(copy, file),
      source.replace(find, () => replace),
    );
  }
  return copy;
}

describe('the simulator', () => {
  it.each(mutants.map((mutant, index) => ({ ...mutant, index })))(
    'finds code that $name',
    { timeout: 300_000 },
    async ({ index, ...mutant }) => {
      const program = join(copyWith(mutant, index), 'test/simulation/simulate.ts');
      const run = promisify(execFile)(process.execPath, [program, '--seeds', '10000', '--first-failure']);
      await expect(run).rejects.toMatchObject({ code: 1, stdout: expect.stringMatching(/^seed \d+: /) });
    },
  );
});
