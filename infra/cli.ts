#!/usr/bin/env node
import { readFileSync } from 'node:fs';
import { enableCompileCache, findPackageJSON } from 'node:module';

// What was compiled once is not compiled by the next command.
enableCompileCache();
const [{ runMillrace }, { addCommand, flag }] = await Promise.all([
  import('../lib/cli/millrace.ts'),
  import('../lib/cli/program.ts'),
]);

/** The nearest `package.json`: of the clone, or of the published package. */
const manifest = findPackageJSON(import.meta.url) ?? '';
const { version } = JSON.parse(readFileSync(manifest, 'utf8'));

await runMillrace(version, (program) => {
  addCommand(
    program,
    {
      usage: 'local',
      summary: 'run the whole stack on this machine, until Ctrl-C',
      options: [
        flag('--quiet', 'once it runs, show problems alone'),
        flag('--json', 'print its environment as JSON, and problems alone'),
      ],
      examples: [['millrace local', 'its data is kept in .millrace/local/ of this folder']],
      isLocal: true,
    },
    async ({ options }) =>
      (await import('./local/serve.ts')).serve({
        isQuiet: options.quiet === true,
        isJson: options.json === true,
      }),
  );
});
