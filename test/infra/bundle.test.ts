import { readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { deflateRawSync } from 'node:zlib';
import { describe, expect, inject, it } from 'vitest';
import { readTemplate, resourcesOf } from '../../infra/local/template.ts';

const mebibyte = 1_048_576;

/** The files of the functions' bundle, as Lambda gets it. */
const [resource] = resourcesOf(readTemplate(inject('assembly')), 'AWS::Lambda::Function');
const directory = join(inject('assembly'), String(resource?.Metadata['aws:asset:path']));
const files = readdirSync(directory, { recursive: true, encoding: 'utf8' })
  .map((path) => ({ path, file: join(directory, path) }))
  .filter(({ file }) => statSync(file).isFile());

describe('the bundle of the functions', () => {
  it('holds ONNX Runtime for this machine alone, as the tests’ stack runs here', () => {
    const native = files.map(({ path }) => path).filter((path) => path.includes('napi-v6'));
    const own = `node_modules/onnxruntime-node/bin/napi-v6/${process.platform}/${process.arch}/`;
    expect(native.length).toBeGreaterThan(0);
    expect(native.filter((path) => !path.startsWith(own))).toEqual([]);
  });

  it.each(['online-update', 'predict', 'relay-command', 'send-defaults'])(
    'loads tfjs only where %s compiles a model: it takes longer than all the rest',
    (name) => {
      const loaded = new Set<string>();
      const load = (path: string) => {
        if (loaded.has(path)) return;
        loaded.add(path);
        // Imports of a module as esbuild writes them; import('…') is for later.
        const imported = /(?:^|[;}\n])import(?:[^"'()]*?from)?["'](\.[^"']+)["']/g;
        const source = readFileSync(join(directory, path), 'utf8');
        for (const [, file = ''] of source.matchAll(imported)) load(join(dirname(path), file));
      };
      load(`${name}.mjs`);
      const bytes = [...loaded].reduce(
        (sum, path) => sum + statSync(join(directory, path)).size,
        0,
      );
      expect(loaded.size).toBeGreaterThan(1);
      expect(bytes).toBeLessThan(mebibyte);
    },
  );

  it('is under 60 MB, and 25 MB zipped', () => {
    const sizes = files
      .map(({ file }) => readFileSync(file))
      .map((body) => [body.length, deflateRawSync(body).length]);
    const sum = (column: 0 | 1) =>
      sizes.reduce((total, size) => total + (size[column] ?? 0), 0) / mebibyte;
    expect(sum(0)).toBeLessThan(60);
    expect(sum(1)).toBeLessThan(25);
  });
});
