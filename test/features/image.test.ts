import { describe, expect, it } from 'vitest';
import { createEncoder } from '../../lib/features/encoder.ts';
import { defineSpec } from '../../lib/spec/spec.ts';

const spec = (shape: number[], more = {}) =>
  defineSpec({
    model: 'pictures',
    task: 'binary',
    features: { picture: { type: 'image', shape, ...more }, size: { type: 'number' } },
  });
const encoded = (of: ReturnType<typeof spec>, picture: unknown) => {
  const sample = { features: { picture, size: 7 }, label: true };
  const { samples, refused } = createEncoder(of).encode([sample]);
  return refused[0]?.reason ?? [...samples.raw];
};

describe('an image', () => {
  it.each([
    [
      'nested',
      [
        [0, 51, 102],
        [153, 204, 255],
      ],
    ],
    ['one after another', [0, 51, 102, 153, 204, 255]],
    ['as JSON', '[[0, 51, 102], [153, 204, "255"]]'],
    ['as bytes', Uint8Array.of(0, 51, 102, 153, 204, 255)],
    ['as rows of bytes', [Uint8Array.of(0, 51, 102), Uint8Array.of(153, 204, 255)]],
  ])('is its pixels, divided by the greatest: %s', (_, picture) => {
    expect(encoded(spec([2, 3]), picture)).toEqual([0, 0.2, 0.4, 0.6, 0.8, 1, 7]);
  });

  it('may have channels, and another greatest value', () => {
    const pixels = [
      [
        [1, 2],
        [3, 4],
      ],
      [
        [5, 6],
        [7, 8],
      ],
    ];
    expect(encoded(spec([2, 2, 2], { scale: 2 }), pixels)).toEqual([
      0.5, 1, 1.5, 2, 2.5, 3, 3.5, 4, 7,
    ]);
  });

  it.each([
    [
      [
        [1, 2],
        [3, 4],
      ],
      'must be 6 finite numbers, one after another or nested as [2,3]',
    ],
    [
      [
        [1, 2, 3],
        [4, 5],
      ],
      'must be 6 finite numbers',
    ],
    [[[1, 2, 3], 4], 'must be 6 finite numbers'],
    [[1, 2, 3, 4, 5], 'must be 6 finite numbers'],
    ['a picture', 'must be 6 finite numbers'],
    [[1, 2, 3, 4, null, 6], 'pixel 4 must be a finite number (found null)'],
    [
      [
        [1, 2, 3],
        [4, 5, 'x'],
      ],
      'pixel 5 must be a finite number (found "x")',
    ],
  ])('is refused if it is another: %j', (picture, reason) => {
    expect(encoded(spec([2, 3]), picture)).toContain(reason);
  });

  it('is declared with a shape that fits', () => {
    expect(() => spec([1_000, 1_000])).toThrow(
      'spec.features.picture.shape: must have at most 200000 pixels',
    );
  });
});
