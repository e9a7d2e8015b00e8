import { execFile } from 'node:child_process';
import { chmodSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { projectDirectory } from '../../infra/local/synthesize.ts';
import { openModel } from '../../lib/serving/open-model.ts';
import { startTestCloud, type TestCloud } from '../support/test-cloud.ts';

const textOf = (path: string) => readFileSync(join(projectDirectory, path), 'utf8');

/** The fenced blocks of a language, in order. */
function blocksOf(markdown: string, language: string): readonly string[] {
  const fence = new RegExp(`^\`\`\`${language}\\n(.*?)^\`\`\``, 'gms');
  return [...markdown.matchAll(fence)].map(([, block = '']) => block);
}

/** What a reader has done before: the project is installed, and the stack runs. */
const doneAlready = /^npm (ci|run local)\s*(#.*)?$/gm;

describe('the tutorial', () => {
  let test: TestCloud;
  let folder: string;
  beforeAll(async () => {
    test = await startTestCloud();
    folder = join(test.directory, 'project');
    mkdirSync(join(folder, '.millrace'), { recursive: true });
    mkdirSync(join(folder, 'bin'));
    for (const name of ['lib', 'node_modules', 'package.json'])
      symlinkSync(join(projectDirectory, name), join(folder, name));
    // npx, as it finds the project's own programs.
    const millrace = join(projectDirectory, 'lib/cli/millrace.ts');
    writeFileSync(
      join(folder, 'bin', 'npx'),
      `#!/bin/sh\nname=$1; shift\n[ "$name" = node ] && exec node "$@"\nexec node ${millrace} "$@"\n`,
    );
    chmodSync(join(folder, 'bin', 'npx'), 0o755);
    const lines = Object.entries(test.cloud.environment).map(
      ([name, value]) => `${name}=${value}\n`,
    );
    writeFileSync(join(folder, '.millrace', 'local.env'), lines.join(''));
  });
  afterAll(() => test.remove());

  /** Runs commands as they stand, in a shell that stops at the first that fails. */
  const run = (script: string) =>
    new Promise<{ status: number; output: string }>((resolve) => {
      const { MILLRACE_BUCKET: _, ...environment } = process.env;
      const path = `${join(folder, 'bin')}:${dirname(process.execPath)}:${environment.PATH}`;
      const env = { ...environment, PATH: path };
      execFile('bash', ['-ec', script], { cwd: folder, env }, (error, stdout, stderr) =>
        resolve({
          status: typeof error?.code === 'number' ? error.code : 0,
          output: stdout + stderr,
        }),
      );
    });

  it('runs word for word, from a file to a model that answers and takes back', async () => {
    const tutorial = textOf('docs/tutorial.md');
    const [program = ''] = blocksOf(tutorial, 'ts');
    writeFileSync(join(folder, 'station.ts'), program);
    const said: string[] = [];
    for (const block of blocksOf(tutorial, 'sh')) {
      const { status, output } = await run(block.replace(doneAlready, ''));
      expect(status, `${block}\n${output}`).toBe(0);
      said.push(output);
    }
    const all = said.join('\n');
    expect(all).toContain('left out date');
    expect(all).toContain('weather: 1,461 samples in 3 messages sent');
    expect(all).toMatch(/"ok":true,"model":"weather",.*"class":"rain"/);
    expect(all).toMatch(/class: '(sun|drizzle|fog)'/);
    expect(all).toMatch(/weather-history-\S+ +(promoted|kept-champion)/);
    expect(all).toContain('largest difference 0');
    expect(readFileSync(join(folder, 'predicted.csv'), 'utf8').split('\n')).toHaveLength(1_463);
    const opened = await openModel(test.ports, 'weather');
    expect(opened.state().learnt).toBe(1_462);
  });

  it("is README's ten lines too", async () => {
    const readme = textOf('README.md');
    const [, section = ''] = /## Your own data\n(.*?)\n## /s.exec(readme) ?? [];
    const [commands = ''] = blocksOf(section, 'sh');
    expect(commands.split('\n').length).toBeLessThan(14);
    const { status, output } = await run(commands.replace(doneAlready, ''));
    expect(status, output).toBe(0);
    expect(output).toMatch(/rain: 1,461 rows predicted/);
  });
});
