import { describe, expect, it } from 'vitest';
import { bytesInMemory } from '../../lib/datasets/byte-source.ts';
import { draftSpec } from '../../lib/operations/draft-spec.ts';

describe('a draft', () => {
  it('looks at fewer rows of a wide file, which has as many cells', async () => {
    const columns = Array.from({ length: 1_999 }, (_, column) => column);
    const line = (row: number) => columns.map((column) => (row * column) % 97).join();
    const text = [
      `${columns.map((column) => `c${column}`).join()},y`,
      ...Array.from({ length: 1_100 }, (_, row) => `${line(row)},${row % 2}`),
    ].join('\n');
    const file = { name: 'wide.csv', bytes: bytesInMemory(Buffer.from(text)) };
    const { rows, doubts } = await draftSpec('m', file);
    expect(rows).toBe(1_000);
    expect(doubts).toContain('the file has more than the 1000 rows that were looked at');
  });

  it('looks at no more of rows that lack a label than that', async () => {
    const rows = Array.from({ length: 300 }, (_, i) => `${'NSW'[i % 3]},${i % 9},${i % 2}`);
    const text = ['region,quantity,paid', ...rows, 'Grand total,99999,', ',,'].join('\n');
    const { spec, doubts } = await draftSpec('m', {
      name: 'totals.csv',
      bytes: bytesInMemory(Buffer.from(text)),
    });
    expect(spec.features).toEqual({
      region: { type: 'category', values: ['N', 'S', 'W'], dimensions: 2 },
      quantity: { type: 'number' },
      quantity_value: { type: 'cross', of: ['quantity'], buckets: 32, dimensions: 3 },
    });
    expect(doubts.join('\n')).toMatch(/2 rows have no paid/);
    expect(doubts.join('\n')).not.toMatch(/99999|missing/);
  });
});
