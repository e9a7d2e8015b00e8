import { chmodSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { projectDirectory } from '../../infra/local/synthesize.ts';
import { startTestCloud, type TestCloud } from '../support/test-cloud.ts';
import { blocksOf, doneAlready, shell, textOf } from '../support/tutorial.ts';

describe('a clone', () => {
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

  it("is all that README's ten lines need", async () => {
    const readme = textOf('README.md');
    const [, section = ''] = /## Your own data\n(.*?)\n## /s.exec(readme) ?? [];
    const [commands = ''] = blocksOf(section, 'sh');
    expect(commands.split('\n').length).toBeLessThan(14);
    const { status, output } = await shell(folder, programs, commands.replace(doneAlready, ''));
    expect(status, output).toBe(0);
    expect(output).toMatch(/rain: 1,461 rows predicted/);
  });
});
