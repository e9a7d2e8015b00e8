import { chmodSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { projectDirectory } from '../../infra/local/synthesize.ts';
import { openModel } from '../../lib/serving/open-model.ts';
import { startTestCloud, type TestCloud } from '../support/test-cloud.ts';
import { blocksOf, doneAlready, followTutorial, shell, textOf } from '../support/tutorial.ts';

/** The commands of `millrace` within a document's sentences, each once. */
function documentedCommands(markdown: string): readonly string[] {
  const names = 'doctor|logs|redrive|show|jobs|dataset|quarantine|rollback|retract|verify|export';
  const spans = [...markdown.replace(/\n/g, ' ').matchAll(/`([^`]+)`/g)];
  const commands = spans.flatMap(
    ([, span = '']) =>
      new RegExp(`^(?:npx millrace )?((?:${names})(?: .*)?)$`).exec(span)?.[1] ?? [],
  );
  return [...new Set(commands)];
}

describe('the tutorial, in a clone', () => {
  let test: TestCloud;
  let folder: string;
  let programs: string;
  beforeAll(async () => {
    test = await startTestCloud();
    folder = join(test.directory, 'project');
    programs = join(folder, 'bin');
    mkdirSync(join(folder, '.millrace'), { recursive: true });
    mkdirSync(programs);
    for (const name of ['infra', 'lib', 'node_modules', 'package.json'])
      symlinkSync(join(projectDirectory, name), join(folder, name));
    // npx, as it finds the project's own programs.
    const millrace = join(projectDirectory, 'infra/cli.ts');
    writeFileSync(
      join(programs, 'npx'),
      `#!/bin/sh\nname=$1; shift\n[ "$name" = node ] && exec node "$@"\nexec node ${millrace} "$@"\n`,
    );
    chmodSync(join(programs, 'npx'), 0o755);
    const lines = Object.entries(test.cloud.environment).map(
      ([name, value]) => `${name}=${value}\n`,
    );
    writeFileSync(join(folder, '.millrace', 'local.env'), lines.join(''));
  });
  afterAll(() => test.remove());

  it('runs word for word, from a file to a model that answers and takes back', async () => {
    await followTutorial(folder, programs);
    const opened = await openModel(test.ports, 'weather');
    expect(opened.state().learnt).toBe(1_464);
  });

  it('leaves a model on which each command of docs/operations.md works', async () => {
    const placeholders: Readonly<Record<string, string>> = {
      '<model>': 'weather',
      // Before what the tutorial retracted.
      '<the entry before>': '2',
      // A number that nobody sent is nothing to retract: the command says so.
      '<producer:seq>': 'nobody:1',
      check: 'check weather-history --model weather',
    };
    const commands = documentedCommands(textOf('docs/operations.md'));
    expect(commands.length).toBeGreaterThan(12);
    for (const command of commands) {
      const typed = Object.entries(placeholders).reduce(
        (line, [name, value]) => line.replace(name, value),
        command,
      );
      const yes = /^(rollback|retract|redrive|quarantine)/.test(typed) ? ' --dry-run' : '';
      const { status, output } = await shell(folder, programs, `npx millrace ${typed}${yes}`);
      const isNobody = typed.includes('nobody:1');
      expect(status, `${typed}\n${output}`).toBe(isNobody ? 2 : 0);
      if (isNobody) expect(output).toContain('holds none of these samples');
    }
  });

  it("is README's ten lines too", async () => {
    const readme = textOf('README.md');
    const [, section = ''] = /## Your own data\n(.*?)\n## /s.exec(readme) ?? [];
    const [commands = ''] = blocksOf(section, 'sh');
    expect(commands.split('\n').length).toBeLessThan(14);
    const { status, output } = await shell(folder, programs, commands.replace(doneAlready, ''));
    expect(status, output).toBe(0);
    expect(output).toMatch(/rain: 1,461 rows predicted/);
  });
});
