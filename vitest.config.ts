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

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    exclude: isQuick ? thorough : [],
    globalSetup: isQuick ? [] : ['test/support/synthesize-once.ts'],
    setupFiles: ['test/support/quiet-tfjs.ts'],
    maxWorkers: '100%',
    // Programs that tests start are compiled once for all of them.
    env: { NODE_COMPILE_CACHE: join(import.meta.dirname, 'node_modules/.cache/millrace/compiled') },
    // Bounds for a test that hangs. No test may fail because the machine is busy.
    testTimeout: 1_800_000,
    hookTimeout: 1_800_000,
  },
});
