import { readFileSync } from 'node:fs';
import { build } from 'esbuild';

/**
 * A program of the project as one file, which need not take the types out of two hundred files
 * each time that it is started. Packages stay outside.
 *
 * @param change - what stands in a file in place of its text
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
