import { describe, expect, it } from 'vitest';
import { preparedName } from '../../lib/datasets/manifest.ts';
import { layoutOf } from '../../lib/features/columns.ts';
import { defineSpec, type SpecInput } from '../../lib/spec/spec.ts';
import { ticketsSpec } from '../support/world.ts';

const nameOf = (own: Partial<SpecInput>) => {
  const spec = defineSpec({ ...ticketsSpec, ...own } as SpecInput);
  return preparedName(spec, 'the journal up to entry 7', layoutOf(spec));
};

describe('the name of prepared rows', () => {
  it('is another where other rows would be refused, held out or encoded', () => {
    const names = [
      nameOf({}),
      nameOf({ ignore: ['z'] }),
      nameOf({ seed: 7 }),
      nameOf({ batch: { validation: 0.5 } }),
      nameOf({ features: { urgency: { type: 'number' } } }),
    ];
    expect(new Set(names).size).toBe(names.length);
  });

  it('is the same where training alone differs', () => {
    expect(nameOf({ optimizer: { type: 'sgd', rate: 0.5 }, batch: { epochs: 9 } })).toBe(
      nameOf({ batch: { epochs: 3 } }),
    );
  });
});
