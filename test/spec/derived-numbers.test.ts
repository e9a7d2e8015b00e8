import { describe, expect, it } from 'vitest';
import { defineSpec, type SpecInput } from '../../lib/spec/spec.ts';

const base = { model: 'm', task: 'binary', features: { x: { type: 'number' } } } as const;

describe('what is derived from numbers', () => {
  const word = { type: 'category' as const, buckets: 4 };
  const fourier: [own: Partial<SpecInput>, message: string][] = [
    [
      { features: { word }, network: { fourier: {} } },
      'spec.network.fourier: needs features with numbers (word is category)',
    ],
    [
      { features: { ...base.features, word }, network: { fourier: { of: ['x', 'word', 'y'] } } },
      'spec.network.fourier.of: needs features with numbers (word is category, y is no feature)',
    ],
    [
      {
        features: { word },
        online: { experts: [{ predicts: 'prior' as const }, { hidden: [], fourier: {} }] },
      },
      'spec.online.experts.1.fourier: needs features with numbers (word is category)',
    ],
  ];
  const pieces: [own: Partial<SpecInput>, message: string][] = [
    [
      { features: { word }, network: { piecewiseLinear: {} } },
      'spec.network.piecewiseLinear: needs features with numbers (word is category)',
    ],
    [
      { network: { hidden: [2], piecewiseLinear: { of: ['z'] } } },
      'spec.network.piecewiseLinear.of: needs features with numbers (z is no feature)',
    ],
    [{ network: { piecewiseLinear: { bins: 1 } } }, 'piecewiseLinear.bins'],
    [
      {
        features: { x: { type: 'vector' as const, length: 60 } },
        online: {
          experts: [
            { predicts: 'prior' as const },
            { hidden: [], secondOrder: true, piecewiseLinear: {} },
          ],
        },
      },
      'takes 512 numbers, Fourier units, pieces and products at most, beside long texts (found 540)',
    ],
    [
      {
        features: { x: { type: 'vector' as const, length: 31 } },
        online: {
          experts: [
            { predicts: 'prior' as const },
            { hidden: [], secondOrder: true, quadratic: {} },
          ],
        },
      },
      'spec.online.experts.1.quadratic: takes 30 numbers at most (found 31); name features in "of"',
    ],
    [
      {
        features: { x: { type: 'vector' as const, length: 30 } },
        network: { fourier: { units: 64 } },
        online: {
          experts: [
            { predicts: 'prior' as const },
            { hidden: [], secondOrder: true, quadratic: {} },
          ],
        },
      },
      'pieces and products at most, beside long texts (found 559)',
    ],
    [
      { features: { word }, network: { quadratic: {} } },
      'spec.network.quadratic: needs features with numbers (word is category)',
    ],
  ];
  it.each([...fourier, ...pieces])('is refused: %j', (own, message) => {
    expect(() => defineSpec({ ...base, ...own })).toThrow(message);
  });
});
