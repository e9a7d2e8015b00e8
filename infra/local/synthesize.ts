import { execFile } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
} from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import * as z from 'zod';
import { reasonOf } from '../../lib/errors.ts';
import { parse, parseJson } from '../../lib/parse.ts';

/** The project's folder: where `cdk.json` is. */
export const projectDirectory = fileURLToPath(new URL('../..', import.meta.url));

const settings = z.looseObject({ context: z.record(z.string(), z.unknown()).default({}) });

/**
 * Synthesizes the stack with what `cdk.json` says, as the CDK's command would, which is slower to
 * start than the stack is to make; the template and the functions' bundles are in `assembly`.
 *
 * @throws Error with what the CDK printed
 */
export async function synthesize(assembly: string): Promise<void> {
  const { context } = parse(
    settings,
    parseJson(readFileSync(join(projectDirectory, 'cdk.json'), 'utf8'), 'cdk.json'),
    'cdk.json',
  );
  mkdirSync(assembly, { recursive: true });
  removeLeftovers(assembly);
  const made = mkdtempSync(join(assembly, unfinished));
  try {
    await promisify(execFile)(process.execPath, [join(projectDirectory, 'infra', 'app.ts')], {
      cwd: projectDirectory,
      env: {
        ...process.env,
        CDK_OUTDIR: made,
        CDK_CONTEXT_JSON: JSON.stringify({ ...context, ...locally }),
        // Rules for what is deployed; here they would be half of the time.
        CDK_VALIDATION: 'false',
      },
    });
    replaceAssembly(assembly, made);
  } catch (cause) {
    const output = cause instanceof Error && 'stderr' in cause ? cause.stderr : reasonOf(cause);
    throw new Error(`the stack cannot be synthesized:\n${output}`, { cause });
  } finally {
    rmSync(made, { recursive: true, force: true });
  }
}

/** How folders begin in which a stack is made. */
const unfinished = '.made-';

/** Removes what programs left behind that were killed; no other takes so long. */
function removeLeftovers(assembly: string): void {
  for (const name of readdirSync(assembly)) {
    const place = join(assembly, name);
    const isOld = () => Date.now() - statSync(place).mtimeMs > 3_600_000;
    if (name.startsWith(unfinished) && isOld()) rmSync(place, { recursive: true, force: true });
  }
}

/** What the local cloud is told, and what the CDK's command adds, which says where assets are. */
const locally = {
  'millrace:local': 'true',
  'aws:cdk:enable-path-metadata': true,
  'aws:cdk:enable-asset-metadata': true,
};

/**
 * Puts an assembly in the place of another, file by file: programs that run from it, or make it
 * anew meanwhile, always find whole ones. Assets are named by what is in them, and stay.
 */
function replaceAssembly(assembly: string, made: string): void {
  const isAsset = (name: string) => name.startsWith('asset.');
  const names = readdirSync(made).toSorted((a, b) => Number(isAsset(b)) - Number(isAsset(a)));
  for (const name of names) {
    const place = join(assembly, name);
    if (isAsset(name) && existsSync(place)) continue;
    try {
      renameSync(join(made, name), place);
    } catch (error) {
      // Another program was faster.
      if (!isAsset(name) || !existsSync(place)) throw error;
    }
  }
}
