import { readFileSync } from 'node:fs';
import { build } from 'esbuild';

/**
 * A program of the project as one file: what is started often, or on a processor that is emulated,
 * need not take the types out of two hundred files each time. Packages stay outside.
 * @param change - what stands in a file instead, where it is not what the disk has
 */
export async function bundleProgram(
  entry: string,
  outfile: string,
  change: (path: string, text: string) => string = (_, text) => text,
): Promise<void> {
  await build({
    entryPoints: [entry],
    outfile,
    bundle: true,
    platform: 'node',
    format: 'esm',
    packages: 'external',
    logLevel: 'error',
    plugins: [
      {
        name: 'changed files',
        setup(bundler) {
          bundler.onLoad({ filter: /\.ts$/ }, ({ path }) => ({
            contents: change(path, readFileSync(path, 'utf8')),
            loader: 'ts',
          }));
        },
      },
    ],
  });
}
