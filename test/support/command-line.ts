import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { projectDirectory } from '../../infra/local/synthesize.ts';

/** What a command came to. */
export type Ran = { readonly status: number; readonly stdout: string; readonly stderr: string };

/** Runs `millrace` as a person would, with an environment and perhaps something piped in. */
export function runMillrace(
  command: readonly string[],
  environment: Readonly<Record<string, string>>,
  { input = '', directory = projectDirectory }: { input?: string; directory?: string } = {},
): Promise<Ran> {
  return new Promise((resolve) => {
    const program = join(projectDirectory, 'infra/cli.ts');
    const env = { ...process.env, ...environment };
    const options = { env, cwd: directory, maxBuffer: 64 * 1_048_576 };
    const child = execFile(
      process.execPath,
      [program, ...command],
      options,
      (error, stdout, stderr) =>
        resolve({ status: typeof error?.code === 'number' ? error.code : 0, stdout, stderr }),
    );
    child.stdin?.end(input);
  });
}
