import { describe, expect, it } from 'vitest';
import { createEncoder } from '../../lib/features/encoder.ts';
import { defineSpec, type SpecInput } from '../../lib/spec/spec.ts';

const features = {
  size: { type: 'number', missing: -5, indicator: true },
  pixels: { type: 'vector', length: 2, missing: 0.5, indicator: true },
  at: { type: 'timestamp', parts: ['elapsed'], missing: '1970-01-01', indicator: true },
  both: { type: 'cross', of: ['size', 'colour'], buckets: 8 },
  colour: { type: 'category', buckets: 8, missing: 'none' },
} satisfies SpecInput['features'];

const spec = (own: SpecInput['features'] = features) =>
  defineSpec({ model: 'm', task: 'binary', features: own });

describe('a number that says what is missing', () => {
  const { encode } = createEncoder(spec());
  const encoded = (own: object) => encode([{ features: own, label: true }]);

  it('is 1 where something stands for a value, and 0 where that is a value', () => {
    const whole = encoded({ size: -5, pixels: [0.5, 0.5], at: 0, colour: 'red' });
    expect([...whole.samples.raw]).toEqual([-5, 0, 0.5, 0.5, 0, 0, 0]);
    const none = encoded({ size: null, at: 'NA', colour: 'red' });
    expect([...none.samples.raw]).toEqual([-5, 1, 0.5, 0.5, 1, 0, 1]);
    // What is made of them sees what stands for it.
    expect(none.samples.categories).toEqual(whole.samples.categories);
  });

  it('changes nothing of what is refused', () => {
    const [refused] = encoded({ size: 'many', pixels: [1, 2], at: 0, colour: 'red' }).refused;
    expect(refused).toMatchObject({ field: 'features.size', code: 'not-finite' });
  });

  it('needs a value', () => {
    expect(() => spec({ size: { type: 'number', indicator: true } })).toThrow(
      /size\.indicator: .*name what does/,
    );
  });

  it('is there beside a mean, unless it is false', () => {
    const raw = (indicator?: boolean) => {
      const own = indicator === undefined ? {} : { indicator };
      const declared = spec({
        size: { type: 'number', missing: 'mean', ...own },
        pixels: { type: 'vector', length: 2, missing: 'mean', ...own },
        at: { type: 'timestamp', parts: ['elapsed'], missing: 'mean', ...own },
      });
      const lacking = createEncoder(declared).encode([{ features: {}, label: true }]);
      const full = { size: 2, pixels: [3, 4], at: 5 };
      const whole = createEncoder(declared).encode([{ features: full, label: true }]);
      return [lacking, whole].map(({ samples }) => [...samples.raw]);
    };
    const open = Number.NaN;
    const [withOne, without] = [raw(), raw(false)];
    expect(withOne).toEqual([
      [open, 1, open, open, 1, open, 1],
      [2, 0, 3, 4, 0, 5, 0],
    ]);
    expect(raw(true)).toEqual(withOne);
    expect(without).toEqual([
      [open, open, open, open],
      [2, 3, 4, 5],
    ]);
  });
});
