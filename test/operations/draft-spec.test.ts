import { describe, expect, it } from 'vitest';
import { bytesInMemory } from '../../lib/datasets/byte-source.ts';
import { readSamples } from '../../lib/datasets/read-samples.ts';
import { createEncoder } from '../../lib/features/encoder.ts';
import { draftSpec } from '../../lib/operations/draft-spec.ts';
import { defineSpec } from '../../lib/spec/spec.ts';

/** Homes as people list them: dirty numbers, free texts, a price that is not always one. */
const homes = [
  'area,built,kind,description,price',
  ...Array.from({ length: 400 }, (_, i) =>
    [
      i % 50 === 0 ? 'unknown' : i % 40 === 0 ? '?' : 40 + (i % 90),
      i % 30 === 0 ? '' : 1950 + (i % 70),
      ['Flat', 'house', 'flat'][i % 3],
      i % 8 === 0 ? '' : `a home with ${i} views`,
      i % 60 === 0 ? 'on request' : 100_000 + i * 1_000,
    ].join(),
  ),
].join('\n');

describe('a draft', () => {
  it('takes a column of numbers for one, whatever words are in it', async () => {
    const file = { name: 'homes.csv', bytes: bytesInMemory(Buffer.from(homes)) };
    const { spec, left, doubts } = await draftSpec('homes', file);
    expect(spec.task).toBe('regression');
    expect(spec.features.area).toEqual({ type: 'number', missing: 'mean' });
    expect(spec.features.built).toEqual({ type: 'number', missing: 'mean' });
    expect(spec.features.description).toEqual({ type: 'text' });
    expect(left).toEqual([]);
    const all = doubts.join('\n');
    expect(all).toMatch(
      /area: \d+ of 400 values are no numbers \(unknown, \?\); they count as missing/,
    );
    expect(all).toMatch(/label: 7 of 400 values of price are no numbers \(on request\); such rows/);
    // The draft reads what it was made from: only homes without a price are refused.
    const { cells, ...rest } = spec;
    const declared = defineSpec({ ...rest, cells });
    for await (const { samples } of readSamples(declared, file)) {
      const { refused } = createEncoder(declared).encode(samples);
      expect(refused.map(({ field }) => field)).toEqual(Array.from({ length: 7 }, () => 'label'));
    }
  });

  it('leaves out what counts the rows, but no years', async () => {
    const rows = Array.from({ length: 250 }, (_, i) => [i + 1, 1_770 + i, (i * 37) % 101].join());
    const text = ['case,year,spots', ...rows].join('\n');
    const file = { name: 'spots.csv', bytes: bytesInMemory(Buffer.from(text)) };
    const { spec, left } = await draftSpec('spots', file);
    expect(left).toEqual([{ column: 'case', reason: 'it counts the rows, like an id' }]);
    expect(Object.keys(spec.features)).toEqual(['year']);
  });
});
