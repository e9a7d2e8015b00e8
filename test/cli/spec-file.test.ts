import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { readSpecFile, writeSpecFile } from '../../lib/cli/spec-file.ts';

const folder = mkdtempSync(join(tmpdir(), 'millrace-spec-'));
afterAll(() => rmSync(folder, { recursive: true }));

describe('a spec in a file', () => {
  const read = (text: string) => {
    const path = join(folder, 'spec.json');
    writeFileSync(path, text);
    return readSpecFile(path);
  };

  it.each([
    ['{"task": "binary", "features": {"x": {}, "y": {}, "x": {}}}', '"x" is there twice'],
    ['{"task": "binary", "label": {}, "\\u0074ask": "binary"}', '"task" is there twice'],
    ['{"list": [{"a": 1}, {"a": 1, "a\\"": {"a": 1}, "a\\"": 2}]}', '"a\\"" is there twice'],
  ])('may have no key twice: %s', async (text, problem) => {
    await expect(read(text)).rejects.toThrow(problem);
  });

  it('may have a key in several objects, and in texts', async () => {
    const text = '{"a": {"a": [{"a": 1}, {"a": "{\\"a\\": 1, \\"a\\": 2}"}]}, "b": "a", "c": "a"}';
    expect(await read(text)).toEqual(JSON.parse(text));
  });

  it('is told in words, where it cannot be read or written', async () => {
    await expect(readSpecFile(join(folder, 'none.json'))).rejects.toThrow('there is no such file');
    mkdirSync(join(folder, 'folder'));
    await expect(readSpecFile('folder/sales.csv')).rejects.toThrow('there is no such file');
    const table = join(folder, 'sales.csv');
    writeFileSync(table, 'a,b\n1,2\n');
    await expect(readSpecFile(table)).rejects.toThrow(`npx millrace init ${table}`);
    const spec = { model: 'm', task: 'binary' as const, features: {} };
    const written = (path: string) => writeSpecFile(join(folder, path), spec);
    await expect(written('none/spec.json')).rejects.toThrow('there is no such folder');
    await writeSpecFile(join(folder, 'new.json'), spec);
    await expect(written('new.json')).rejects.toThrow('it is there already; --out names another');
  });
});
