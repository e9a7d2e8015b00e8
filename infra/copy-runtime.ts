import { cpSync } from 'node:fs';
import { createRequire } from 'node:module';
import { basename, dirname, join } from 'node:path';

/**
 * Copies ONNX Runtime into `node_modules` of a folder, for some platforms alone: the package holds
 * all of them, which is more than a function may have.
 *
 * @param platforms as `linux/x64`
 */
export function copyRuntime(output: string, platforms: ReadonlySet<string>): void {
  const resolve = createRequire(import.meta.url).resolve;
  const runtime = dirname(dirname(resolve('onnxruntime-node')));
  const common = join(
    dirname(createRequire(resolve('onnxruntime-node')).resolve('onnxruntime-common')),
    '../..',
  );
  const copies = [
    [runtime, ['package.json', 'dist', ...[...platforms].map((each) => `bin/napi-v6/${each}`)]],
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
}
