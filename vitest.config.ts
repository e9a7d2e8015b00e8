import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { defineConfig } from 'vitest/config';

/** What takes more than some seconds, or needs the synthesized stack: left to `npm test`. */
const thorough = [
  'test/e2e/**',
  'test/fuzz/**',
  'test/infra/{bundle,stack}.test.ts',
  'test/ports/contract.test.ts',
  'test/simulation/mutants.test.ts',
  'test/engine/{laws,resume}.test.ts',
  'test/engine/onnx/{memory,threads}.test.ts',
];
const isQuick = process.env.npm_lifecycle_event === 'test:quick';

const all = 'test/**/*.test.ts';

/**
 * Whether a file of tests puts other modules in place of some, or measures its process; or packs
 * entries otherwise, as the simulator's (`test/simulation/plain-entries.ts`).
 */
function isApart(path: string): boolean {
  if (path.startsWith('test/simulation/')) return true;
  const text = readFileSync(join(import.meta.dirname, path), 'utf8');
  return /vi\.mock\(|memoryUsage|resourceUsage/.test(text);
}
const apart = globSync(all, { cwd: import.meta.dirname }).filter(isApart);
const exclude = isQuick ? thorough : [];

export default defineConfig({
  test: {
    globalSetup: isQuick ? [] : ['test/support/synthesize-once.ts'],
    setupFiles: ['test/support/quiet-tfjs.ts'],
    maxWorkers: '100%',
    // Programs that tests start are compiled once for all of them.
    env: { NODE_COMPILE_CACHE: join(import.meta.dirname, 'node_modules/.cache/millrace/compiled') },
    // Bounds for a test that hangs. No test may fail because the machine is busy.
    testTimeout: 1_800_000,
    hookTimeout: 1_800_000,
    projects: [
      { extends: true, test: { name: 'apart', include: apart, exclude } },
      // What these load, they load once.
      {
        extends: true,
        test: { name: 'together', include: [all], exclude: [...exclude, ...apart], isolate: false },
      },
    ],
  },
});
