import { cpSync, readdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

/**
 * Bundles the functions of `functions/` with all they need into one folder, a handler a file:
 * `node bundle-functions.ts <folder> <platform>/<arch> …`. What they share is there once. Of ONNX
 * Runtime it takes the platforms that are named: the package holds all of them, which is more than
 * a function may have.
 */
const [output = '', ...platforms] = process.argv.slice(2);

const functions = fileURLToPath(new URL('../functions', import.meta.url));
await build({
  entryPoints: readdirSync(functions).map((file) => join(functions, file)),
  outdir: output,
  outExtension: { '.js': '.mjs' },
  chunkNames: 'shared/[name]-[hash]',
  bundle: true,
  splitting: true,
  minify: true,
  platform: 'node',
  format: 'esm',
  target: 'node24',
  // tfjs' CommonJS build is ES5, which V8 runs a third slower than its ES modules.
  mainFields: ['module', 'main'],
  external: ['onnxruntime-node'],
  banner: {
    js: "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);",
  },
  logLevel: 'error',
});

const resolve = createRequire(import.meta.url).resolve;
const runtime = dirname(dirname(resolve('onnxruntime-node')));
const common = join(
  dirname(createRequire(resolve('onnxruntime-node')).resolve('onnxruntime-common')),
  '../..',
);
const copies = [
  [runtime, ['package.json', 'dist', ...platforms.map((each) => `bin/napi-v6/${each}`)]],
  [common, ['package.json', 'dist/cjs']],
] as const;
for (const [from, paths] of copies) {
  for (const path of paths) {
    cpSync(join(from, path), join(output, 'node_modules', basename(from), path), {
      recursive: true,
      filter: (source) => !source.endsWith('.map') && !source.endsWith('.d.ts'),
    });
  }
}
