import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { bytesInMemory } from '../../lib/datasets/byte-source.ts';
import { readRows } from '../../lib/datasets/rows.ts';

/** Small files as other tools write them, in base64. */
const files = {
  // GNU gzip 1.12 and zstd 1.5.4, with a checksum, of lines of JSON.
  'gzip.jsonl.gz':
    'H4sICODxCmsCA2EuanNvbmwAq1aqULIy1DPVUcrOzEtRslJKVKrlqgYJ6hrBxQ7vgQkapxqhqAQA6KNsRT8AAAA=',
  'zstd.jsonl.zst': 'KLUv/SQ/XQEA+HsieCI6MS41LCJraW5kIjoiYSJ9Ci0yw7wzZWEifQoEEAS5MRJ8hePFBBMk8gc=',
  // pandas 1.5.3: `to_csv` and `to_json(orient='records', lines=True)`.
  'pandas.csv.gz':
    'H4sICODxCmsC/3AuY3N2AKrQyc7MS+Ey1DPVSeTSNdIz0Dm8h8vYwADISOQCAAAA//8DAG5U7bwdAAAA',
  'pandas.jsonl.gz':
    'H4sICODxCmsC/3AuanNvbmwAqlaqULIy1DPVUcrOzEtRslJKVKrlqgYJ6hrpGcBFD++BCRsbGCCJg1QDAAAA//8DAA4M9K1DAAAA',
  'pandas.tsv': 'eAlraW5kCjEuNQlhCi0yLjAJw7wKMzAwLjAJYQo=',
} as const;

describe('bytes without a type', () => {
  it('are texts, whatever file has them', async () => {
    const name = 'fixed-bytes.parquet';
    const body = readFileSync(new URL(`parquet/${name}`, import.meta.url));
    const values: unknown[] = [];
    for await (const { rows } of readRows({ name, bytes: bytesInMemory(body), columns: 'all' }))
      for (const { fsb } of rows) values.push(fsb ?? null);
    expect(values).toEqual(['abcd', 'efgh', 'ijkl', null, 'mnop', 'qrst', 'uvwx']);
  });
});

describe('files of other tools', () => {
  it.each(Object.entries(files))('are read as they were meant: %s', async (name, text) => {
    const rows: unknown[] = [];
    const bytes = bytesInMemory(Buffer.from(text, 'base64'));
    for await (const chunk of readRows({ name, bytes }))
      for (const { x, kind } of chunk.rows) rows.push([Number(x), kind]);
    expect(rows).toEqual([
      [1.5, 'a'],
      [-2, 'ü'],
      [300, 'a'],
    ]);
  });
});
