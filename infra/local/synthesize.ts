import { execFile } from 'node:child_process';
import { createRequire } from 'node:module';
import { delimiter, dirname } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

/** The project's folder: where `cdk.json` is. */
export const projectDirectory = fileURLToPath(new URL('../..', import.meta.url));

/**
 * Synthesizes the stack as `cdk deploy` would, offline; the template and the functions' bundles are
 * in `assembly`. Commands that do so at once take turns.
 *
 * @throws Error with what the CDK printed
 */
export async function synthesize(assembly: string): Promise<void> {
  for (let second = 0; ; second++) {
    try {
      return await synthesizeOnce(assembly);
    } catch (error) {
      const isBusy = /Another CLI .* is currently/.test(String(error));
      if (!isBusy || second === mostSeconds) throw error;
      await delay(1_000);
    }
  }
}

/** How long another command may synthesize it before this one gives up. */
const mostSeconds = 120;

async function synthesizeOnce(assembly: string): Promise<void> {
  const cdk = createRequire(import.meta.url).resolve('aws-cdk/bin/cdk');
  try {
    await promisify(execFile)(
      process.execPath,
      [cdk, 'synth', '--quiet', '--output', assembly, '--context', 'millrace:local=true'],
      {
        cwd: projectDirectory,
        // cdk.json says `node`: the one that runs this, not whichever is first on the machine.
        env: {
          ...process.env,
          PATH: `${dirname(process.execPath)}${delimiter}${process.env.PATH ?? ''}`,
          // Rules for what is deployed; here they would be half of the time.
          CDK_VALIDATION: 'false',
        },
      },
    );
  } catch (cause) {
    const output = cause instanceof Error && 'stderr' in cause ? String(cause.stderr) : '';
    throw new Error(`the stack cannot be synthesized:\n${output}`, { cause });
  }
}
