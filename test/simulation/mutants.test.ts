import { execFile } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, describe, expect, it } from 'vitest';
import { projectDirectory } from '../../infra/local/synthesize.ts';
import { edited, type Mutant } from './edit.ts';
import { mutants } from './mutants.ts';

/** Below the project, so that the copies find its packages. */
const scratch = join(projectDirectory, '.millrace');
mkdirSync(scratch, { recursive: true });
const directory = mkdtempSync(join(scratch, 'mutants-'));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

/** A copy of the code and its simulator, with the mutant's edits. */
function copyWith({ edits }: Mutant, index: number): string {
  const copy = join(directory, String(index));
  for (const part of ['lib', 'test/simulation', 'test/support', 'package.json']) {
    cpSync(join(projectDirectory, part), join(copy, part), { recursive: true });
  }
  for (const { file, ...edit } of edits) {
    const change = edited(readFileSync(join(copy, file), 'utf8'), edit);
    if (typeof change === 'string') throw new Error(`${file}: ${change}`);
    writeFileSync(join(copy, file), change.text);
  }
  return copy;
}

describe('each mutant', () => {
  it('still finds what it changes', () => {
    const lost = mutants.flatMap(({ name, edits }) =>
      edits.flatMap(({ file, ...edit }) => {
        const change = edited(readFileSync(join(projectDirectory, file), 'utf8'), edit);
        return typeof change === 'string' ? [`${name}: ${file}: ${change}`] : [];
      }),
    );
    expect(lost).toEqual([]);
  });

  it('survives a reformatting of the source', () => {
    const edit = { find: "f(a, 'b', { c: 1 }, [2, 3])", replace: 'g()' };
    const source = "const x = f(\n  a,\n  'b',\n  {\n    c: 1,\n  },\n  [2,\n   3],\n);";
    expect(edited(source, edit)).toEqual({ text: 'const x = g();' });
    expect(edited('const x = f(a, b);', edit)).toMatch(/is not there/);
    expect(edited("f(a, 'b', { c: 1 }, [2, 3]); f(a,'b',{c:1},[2,3]);", edit)).toMatch(/2 times/);
  });
});

describe('the simulator', () => {
  it.each(mutants.map((mutant, index) => ({ ...mutant, index })))(
    'finds code that $name',
    async ({ index, from = 1, ...mutant }) => {
      const program = join(copyWith(mutant, index), 'test/simulation/simulate.ts');
      const run = promisify(execFile)(process.execPath, [
        program,
        '--seeds',
        '10000',
        '--from',
        String(from),
        '--first-failure',
      ]);
      await expect(run).rejects.toMatchObject({
        code: 1,
        stdout: expect.stringMatching(/^seed \d+: /),
      });
    },
  );
});
