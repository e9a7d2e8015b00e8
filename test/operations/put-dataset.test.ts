import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { partBytesOf, putDataset } from '../../lib/operations/put-dataset.ts';
import type { Upload } from '../../lib/ports/ports.ts';
import { memoryStore } from '../support/memory-store.ts';

describe('the parts of an upload', () => {
  it.each([
    [0, 8],
    [8 * 1_048_576 * 10_000, 8],
    [8 * 1_048_576 * 10_000 + 1, 16],
    [5 * 1024 ** 4, 528],
  ])('of %i bytes are no more than S3 takes', (sizeBytes, mebibytes) => {
    const partBytes = partBytesOf(sizeBytes);
    expect(partBytes).toBe(mebibytes * 1_048_576);
    expect(Math.ceil(sizeBytes / partBytes)).toBeLessThanOrEqual(10_000);
  });
});

describe('files that are put into a dataset', () => {
  let folder = '';
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'millrace-put-'));
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  it('are passed over where they are there, and named where they replace others', async () => {
    const store = memoryStore();
    const upload: Upload = async (key, { path }) => void (await store.put(key, readFileSync(path)));
    const put = (...names: string[]) => {
      const paths = names.map((name) => join(folder, name));
      return putDataset(store, upload, { dataset: 'days', paths });
    };
    writeFileSync(join(folder, 'none.csv'), '');
    await expect(put('none.csv')).rejects.toThrow(/none\.csv is empty: .* leave it out$/);
    writeFileSync(join(folder, 'a.csv'), 'x,label\n1,2\n');
    const key = 'datasets/days/a.csv';
    expect(await put('a.csv')).toEqual({ uploaded: [key], replaced: [], unchanged: [] });
    expect(await put('a.csv')).toEqual({ uploaded: [], replaced: [], unchanged: [key] });
    writeFileSync(join(folder, 'a.csv'), 'x,label\n1,3\n');
    expect(await put('a.csv')).toEqual({ uploaded: [key], replaced: [key], unchanged: [] });
    await expect(put('a.csv', '../a.csv')).rejects.toThrow(
      'two files are named a.csv; a dataset has',
    );
  });
});
