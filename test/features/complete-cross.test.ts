import { describe, expect, it } from 'vitest';
import { columnsOf } from '../../lib/features/columns.ts';
import { createEncoder } from '../../lib/features/encoder.ts';
import { defineSpec, type SpecInput } from '../../lib/spec/spec.ts';

const [sides, sizes] = [
  ['left', 'right'],
  ['s', 'm', 'l'],
];

function specOf(features: SpecInput['features'], of = ['side', 'size']) {
  const whole = { type: 'cross', of, buckets: 'complete', dimensions: 2 } as const;
  return defineSpec({ model: 'm', task: 'binary', features: { ...features, whole } });
}

const usual: SpecInput['features'] = {
  side: { type: 'category', values: sides, dimensions: 2 },
  size: { type: 'category', values: sizes, missing: 'm', dimensions: 2 },
};

describe('a complete cross', () => {
  it('has a row for each combination, and for what is not known', () => {
    const spec = specOf(usual);
    const { encodeFeatures } = createEncoder(spec);
    const all = [...sides, 'other'].flatMap((side) =>
      [...sizes, 'other'].map((size) => ({ features: { side, size } })),
    );
    const { samples, refused } = encodeFeatures(all);
    expect(refused).toEqual([]);
    const places = Array.from(samples.categories).filter((_, i) => i % 3 === 2);
    expect([...places].sort((a, b) => a - b)).toEqual(Array.from({ length: 12 }, (_, i) => i));
    const cross = columnsOf(spec).find(({ name }) => name === 'whole');
    expect(cross?.behaviour.input).toEqual({ kind: 'table', rows: 12, dimensions: 2 });
    const { samples: filled } = encodeFeatures([{ features: { side: 'left', size: null } }]);
    expect(filled.categories[2]).toBe(places[1]);
  });

  it('is of categories with values, and of no more combinations than a table may have', () => {
    const open = { ...usual, n: { type: 'number' } } as const;
    expect(() => specOf(open, ['side', 'n'])).toThrow(
      'spec.features.whole.buckets: complete is for categories with `values` (n has none)',
    );
    const values = Array.from({ length: 1_000 }, (_, i) => `v${i}`);
    const wide = { type: 'category', values } as const;
    expect(() => specOf({ side: wide, size: wide })).toThrow(
      'there are 1002001 combinations, at most 1000000 are allowed',
    );
  });
});
