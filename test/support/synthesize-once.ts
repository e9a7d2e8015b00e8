import { readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { TestProject } from 'vitest/node';
import { projectDirectory, synthesize } from '../../infra/local/synthesize.ts';

declare module 'vitest' {
  interface ProvidedContext {
    /** The cloud assembly that the tests of the stack and of the local cloud share. */
    readonly assembly: string;
  }
}

/** Synthesizes the stack once for all test files. */
export default async function synthesizeOnce(project: TestProject): Promise<void> {
  const assembly = join(projectDirectory, 'node_modules', '.cache', 'millrace', 'cdk.out');
  await synthesize(assembly);
  await removeOldAssets(assembly);
  project.provide('assembly', assembly);
}

/** Removes the bundles of code that has changed since: 45 MB for each change. */
async function removeOldAssets(assembly: string): Promise<void> {
  const names = await readdir(assembly);
  const manifests = names.filter((name) => name.endsWith('.assets.json'));
  const named = (
    await Promise.all(manifests.map((name) => readFile(join(assembly, name), 'utf8')))
  ).join('');
  const old = names.filter((name) => name.startsWith('asset.') && !named.includes(name));
  await Promise.all(old.map((name) => rm(join(assembly, name), { recursive: true })));
}
