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
  project.provide('assembly', assembly);
}
