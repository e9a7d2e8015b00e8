import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { projectDirectory } from '../local/synthesize.ts';

/**
 * The licences of what is bundled.
 *
 * @param inputs paths of the bundled files, below the project
 */
export function noticesOf(inputs: readonly string[]): string {
  const packages = inputs.flatMap(
    (path) => /^(.*node_modules\/(?:@[^/]+\/)?[^/]+)\//.exec(path)?.[1] ?? [],
  );
  // What is bundled without being read by the bundler.
  const others = ['node_modules/onnxruntime-node', 'node_modules/zod'];
  const folders = [...new Set([...packages, ...others])].sort();
  return folders.map(noticeOf).join(`\n${'-'.repeat(80)}\n\n`);
}

function noticeOf(folder: string): string {
  const directory = join(projectDirectory, folder);
  const { name, version, license } = JSON.parse(
    readFileSync(join(directory, 'package.json'), 'utf8'),
  );
  const files = existsSync(directory) ? readdirSync(directory) : [];
  const file = files.find((each) => /^(licen[cs]e|copying)/i.test(each));
  const text =
    file === undefined ? '' : `\n${readFileSync(join(directory, file), 'utf8').trim()}\n`;
  return `${name} ${version} (${license})\n${text}`;
}
