import { cpSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

/**
 * Copies ONNX Runtime into a function's bundle, for some platforms alone: the package holds all of
 * them, which is more than a function may have.
 *
 * `node bundle-runtime.ts <bundle> <platform>/<arch> …`
 */
const [bundle = '', ...platforms] = process.argv.slice(2);
const resolve = createRequire(import.meta.url).resolve;
const runtime = dirname(dirname(resolve('onnxruntime-node')));
const common = join(
  dirname(createRequire(resolve('onnxruntime-node')).resolve('onnxruntime-common')),
  '../..',
);

const copies = [
  [
    'onnxruntime-node',
    runtime,
    ['package.json', 'dist', ...platforms.map((platform) => `bin/napi-v6/${platform}`)],
  ],
  ['onnxruntime-common', common, ['package.json', 'dist/cjs']],
] as const;
for (const [name, from, paths] of copies) {
  for (const path of paths) {
    cpSync(join(from, path), join(bundle, 'node_modules', name, path), {
      recursive: true,
      filter: (source) => !source.endsWith('.map') && !source.endsWith('.d.ts'),
    });
  }
}
