import { describe, expect, it } from 'vitest';
import { bytesInMemory } from '../../lib/datasets/byte-source.ts';
import { draftSpec } from '../../lib/operations/draft-spec.ts';

describe('a draft', () => {
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
    });
    expect(doubts.join('\n')).toMatch(/2 rows have no paid/);
    expect(doubts.join('\n')).not.toMatch(/99999|missing/);
  });
});
