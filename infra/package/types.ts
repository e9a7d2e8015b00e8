import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { projectDirectory } from '../local/synthesize.ts';

/** What a consumer has anyway. */
const known = /^(node:|aws-cdk-lib(\/|$)|constructs$)/;

const specifiers = /(from |import\()(['"])([^'"]+)\2/g;

/**
 * Writes the declarations that the package's doors lead to into `types/`. Those of Zod come along:
 * the bundles hold it, and nothing else is to be installed.
 *
 * @param doors modules below the project, without their ending
 * @throws Error if a door leads to the types of a package that a consumer does not have
 */
export function writeTypes(output: string, doors: readonly string[]): void {
  const emitted = mkdtempSync(join(tmpdir(), 'millrace-types-'));
  const compiler = join(projectDirectory, 'node_modules/typescript/bin/tsc');
  const flags = ['--noEmit', 'false', '--declaration', '--emitDeclarationOnly'];
  execFileSync(process.execPath, [compiler, ...flags, '--outDir', emitted], {
    cwd: projectDirectory,
    stdio: 'inherit',
  });
  const waiting = doors.map((door) => `${door}.d.ts`);
  const written = new Set<string>();
  for (let path = waiting.pop(); path !== undefined; path = waiting.pop()) {
    if (written.has(path)) continue;
    written.add(path);
    const from = path;
    const text = readFileSync(join(emitted, path), 'utf8').replaceAll(
      specifiers,
      (_, before: string, quote: string, specifier: string) => {
        const [next, own] = resolved(from, specifier);
        if (next !== undefined) waiting.push(next);
        return `${before}${quote}${own}${quote}`;
      },
    );
    const file = join(output, 'types', path);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, text);
  }
  rmSync(emitted, { recursive: true });
  const zod = join(projectDirectory, 'node_modules/zod');
  cpSync(zod, join(output, 'types/zod'), {
    recursive: true,
    filter: (path) => !/\.[^/]+$/.test(relative(zod, path)) || path.endsWith('.d.cts'),
  });
}

/** The declarations that a specifier leads to, and the specifier in the package. */
function resolved(from: string, specifier: string): readonly [string | undefined, string] {
  if (specifier.startsWith('.')) {
    const path = join(dirname(from), specifier);
    return [path.replace(/\.ts$/, '.d.ts'), specifier.replace(/\.ts$/, '.js')];
  }
  if (specifier === 'zod') {
    const path = relative(dirname(from), 'zod/index.cjs');
    return [undefined, path.startsWith('.') ? path : `./${path}`];
  }
  if (known.test(specifier)) return [undefined, specifier];
  throw new Error(`${from}: the types of ${specifier} are not a consumer's`);
}
