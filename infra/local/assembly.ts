import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { projectDirectory, synthesize } from './synthesize.ts';

/** Where the published package has its stack, synthesized when it was made. */
const prebuilt = fileURLToPath(new URL('./assembly', import.meta.url));

/** The synthesized stack that runs on this machine: of the package, or made from the sources. */
export async function localAssembly(): Promise<string> {
  if (existsSync(prebuilt)) return prebuilt;
  const assembly = join(projectDirectory, 'cdk.out');
  await synthesize(assembly);
  return assembly;
}
