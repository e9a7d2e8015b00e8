import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, describe, expect, it } from 'vitest';
import { projectDirectory } from '../../infra/local/synthesize.ts';
import { bundleProgram } from '../support/bundle-program.ts';
import { edited, type Mutant } from './edit.ts';
import { mutants } from './mutants.ts';

const simulator = join(projectDirectory, 'test/simulation/simulate.ts');

/** Below the project, so that the programs find its packages. */
const scratch = join(projectDirectory, '.millrace');
mkdirSync(scratch, { recursive: true });
const directory = mkdtempSync(join(scratch, 'mutants-'));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

/** The simulator, with the mutant's edits, as one program. */
async function simulatorWith({ edits }: Mutant, index: number): Promise<string> {
  const program = join(directory, `${index}.mjs`);
  await bundleProgram(simulator, program, (path, text) =>
    edits
      .filter(({ file }) => path === join(projectDirectory, file))
      .reduce((source, { file, ...edit }) => {
        const change = edited(source, edit);
        if (typeof change === 'string') throw new Error(`${file}: ${change}`);
        return change.text;
      }, text),
  );
  return program;
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
      const run = promisify(execFile)(process.execPath, [
        '--max-semi-space-size=64',
        await simulatorWith(mutant, index),
        '--seeds',
        '10000',
        '--from',
        String(from),
        '--first-failure',
        '--processes',
        '1',
      ]);
      await expect(run).rejects.toMatchObject({
        code: 1,
        stdout: expect.stringMatching(/^seed \d+: /),
      });
    },
  );
});
