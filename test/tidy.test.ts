import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { basename, dirname, join, normalize } from 'node:path';
import { describe, expect, it } from 'vitest';
import { projectDirectory } from '../infra/local/synthesize.ts';

type File = { readonly path: string; readonly text: string };

/** The project's own files: one that a user has put beside them is none of our business. */
function listed(pattern: string): readonly File[] {
  return execFileSync('git', ['ls-files', pattern], { cwd: projectDirectory, encoding: 'utf8' })
    .trim()
    .split('\n')
    .filter((path) => existsSync(join(projectDirectory, path)))
    .map((path) => ({ path, text: readFileSync(join(projectDirectory, path), 'utf8') }));
}

/** Lines of Markdown that can be wrapped: tables, pictures and code cannot, nor can an address. */
function proseOf(markdown: string): readonly string[] {
  return markdown
    .replace(/^```.*?^```/gms, '')
    .split('\n')
    .filter((line) => !/^(\||!\[| {4})|\]\([^)]*\)$/.test(line));
}

const files = listed('*.ts');

/** What names programs that nothing imports. */
const texts = ['package.json', 'cdk.json', 'README.md', 'infra/functions-code.ts'].map((path) => ({
  path,
  text: readFileSync(join(projectDirectory, path), 'utf8'),
}));

const sources = files.filter(({ path }) => /^(functions|infra|lib)\//.test(path));

/** The rooms of lib/: each may import from those before it, and all from lib's own files. */
const rooms = [
  'wasm',
  'features',
  'spec',
  'bucket',
  'network',
  'metrics',
  'engine',
  'ports',
  'state',
  'model',
  'commands',
  'journal',
  'datasets',
  'fold',
  'jobs',
  'online',
  'operations',
  'export',
  'import',
  'serving',
  'cli',
  'examples',
];

function importsOf({ path, text }: { path: string; text: string }): string[] {
  return [...text.matchAll(/(?:from|import\() ?'(\.[^']+)'/g)].map(([, specifier = '']) =>
    normalize(join(dirname(path), specifier)),
  );
}

const folderOf = (path: string) => /^lib\/([a-z]+)\//.exec(path)?.[1];

describe('the style', () => {
  it('keeps the direction of imports', () => {
    const wrong = sources.flatMap((file) => {
      const folder = folderOf(file.path);
      return importsOf(file)
        .filter((target) => {
          const targetFolder = folderOf(target);
          if (/^functions\//.test(target)) return true;
          if (/^infra\//.test(target)) return !file.path.startsWith('infra/');
          if (!file.path.startsWith('lib/') || targetFolder === undefined) return false;
          return folder === undefined || rooms.indexOf(targetFolder) > rooms.indexOf(folder);
        })
        .map((target) => `${file.path} → ${target}`);
    });
    expect(wrong).toEqual([]);
  });

  it('has a place in the order for each room', () => {
    const found = new Set(sources.flatMap(({ path }) => folderOf(path) ?? []));
    expect([...found].sort()).toEqual([...rooms].sort());
  });

  it('is told by ARCHITECTURE.md in its order, with all that it depends on', () => {
    const told = readFileSync('ARCHITECTURE.md', 'utf8');
    const listed = [...told.matchAll(/^\| (`lib\/\w+\/`(?:, `lib\/\w+\/`)*) \|/gm)];
    const inOrder = listed.flatMap(([, names = '']) => names.match(/(?<=lib\/)\w+/g) ?? []);
    expect(inOrder).toEqual(rooms);
    const { dependencies, devDependencies } = JSON.parse(readFileSync('package.json', 'utf8'));
    const untold = Object.keys({ ...dependencies, ...devDependencies }).filter((name) => {
      const short = name.split('/').at(-1) ?? '';
      return (
        !name.startsWith('@types/') &&
        !told.includes(`\`${name}\``) &&
        !told.includes(`\`${short}\``)
      );
    });
    expect(untold).toEqual([]);
  });

  it('has no circle of files', () => {
    const graph = new Map(files.map((file) => [file.path, importsOf(file)]));
    const done = new Set<string>();
    const circleFrom = (path: string, above: readonly string[]): readonly string[] | undefined => {
      if (above.includes(path)) return [...above.slice(above.indexOf(path)), path];
      if (done.has(path)) return undefined;
      for (const target of graph.get(path) ?? []) {
        const circle = circleFrom(target, [...above, path]);
        if (circle !== undefined) return circle;
      }
      done.add(path);
      return undefined;
    };
    const circles = [...graph.keys()].flatMap((path) => circleFrom(path, [])?.join(' → ') ?? []);
    expect([...new Set(circles)]).toEqual([]);
  });

  it('keeps files to 300 lines, code to 100 characters, and texts that cannot be cut to 120', () => {
    const long = files.flatMap(({ path, text }) => {
      const lines = text.split('\n');
      const wide = lines.findIndex((line) => line.length > (/['"`]/.test(line) ? 120 : 100));
      return [
        ...(lines.length > 301 ? [`${path}: ${lines.length} lines`] : []),
        ...(wide >= 0 ? [`${path}:${wide + 1}`] : []),
      ];
    });
    expect(long).toEqual([]);
  });

  it('wraps Markdown at 100 characters', () => {
    const wide = listed('*.md').flatMap(({ path, text }) =>
      proseOf(text).flatMap((line) => (line.length > 100 ? [`${path}: ${line}`] : [])),
    );
    expect(wide).toEqual([]);
  });

  it('keeps each test to 60 lines', () => {
    const long = files.flatMap(({ path, text }) => {
      const lines = text.split('\n');
      return lines.flatMap((line, start) => {
        const indent = /^( *)(?:it|test)\b.*\($|^( *)(?:it|test)\b.*\{$/.exec(line);
        if (indent === null) return [];
        const end = lines.indexOf(`${indent[1] ?? indent[2]}});`, start);
        return end - start > 60 ? [`${path}:${start + 1}`] : [];
      });
    });
    expect(long).toEqual([]);
  });

  it('has no dead file', () => {
    const imported = new Set(files.flatMap(importsOf));
    const text = texts.map((file) => file.text).join('\n');
    const dead = sources.filter(
      ({ path }) =>
        !imported.has(path) && !text.includes(basename(path)) && !/^functions\//.test(path),
    );
    expect(dead.map(({ path }) => path)).toEqual([]);
  });

  it('reads clock, randomness and environment in the wiring alone', () => {
    const wiring = /^(functions\/|infra\/|lib\/ports\/(aws|connect)\.ts|lib\/cli\/millrace\.ts)/;
    const impure = /Date\.now|new Date\(\)|Math\.random|randomUUID|performance\.now|process\.env/;
    const wrong = sources.filter(({ path, text }) => !wiring.test(path) && impure.test(text));
    expect(wrong.map(({ path }) => path)).toEqual([]);
  });

  it('sees S3 and SQS through ports alone', () => {
    const wrong = sources.filter(
      ({ path, text }) =>
        /^lib\/(?!ports|cli|examples)[a-z]+\//.test(path) && text.includes('@aws-sdk'),
    );
    expect(wrong.map(({ path }) => path)).toEqual([]);
  });

  it('documents each public export', () => {
    const undocumented = sources.flatMap(({ path, text }) => {
      const lines = text.split('\n');
      return lines.flatMap((line, i) => {
        const isExport =
          /^export (default |async |declare )*(function|const|type (?!\{)|class|interface)/.test(
            line,
          );
        return isExport && !lines[i - 1]?.endsWith('*/') ? [`${path}:${i + 1}`] : [];
      });
    });
    expect(undocumented).toEqual([]);
  });

  it('has no barrel files, no default names and no doors out of the type system', () => {
    const wrong = sources.flatMap(({ path, text }) => [
      ...(/(^|\/)index\.ts$/.test(path) ? [`${path}: a barrel file`] : []),
      ...(/(util|helper|manager|base|impl)/i.test(path) ? [`${path}: an empty name`] : []),
      ...(/: any\b|as any\b|@ts-(ignore|nocheck|expect-error)|biome-ignore/.test(text)
        ? [`${path}: untyped`]
        : []),
      ...(/\b(TODO|FIXME|XXX)\b/.test(text) ? [`${path}: unfinished`] : []),
    ]);
    expect(wrong).toEqual([]);
  });

  it('gives tests their bounds as arguments', () => {
    const wrong = files.filter(
      ({ path, text }) => path !== 'test/tidy.test.ts' && /Object\.assign\(limits/.test(text),
    );
    expect(wrong.map(({ path }) => path)).toEqual([]);
  });

  it('runs every test', () => {
    const skipped = /\b(it|test|describe)\.(skip|only|todo)\b/;
    const wrong = files.filter(
      ({ path, text }) => path !== 'test/tidy.test.ts' && skipped.test(text),
    );
    expect(wrong.map(({ path }) => path)).toEqual([]);
  });
});
