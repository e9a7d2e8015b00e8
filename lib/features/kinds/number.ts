import { z } from 'zod';
import { show, strictObject } from '../../parse.ts';
import { accepted, refuse } from '../../refusal.ts';
import { isFloat32, readNumber, withoutSign } from '../cells.ts';
import type { FeatureBehaviour } from './kind.ts';

/** A finite number; standardised by the running mean and variance unless `standardize` is false. */
export const numberSchema = strictObject({
  type: z.literal('number'),
  standardize: z.boolean().default(true),
});

/** How a number behaves: one column. */
export function numberBehaviour({ standardize }: z.output<typeof numberSchema>): FeatureBehaviour {
  return {
    width: { numbers: 1, categories: 0 },
    isStandardized: standardize,
    writer({ numberOffset, row: { numbers } }) {
      return (value, into, row) => {
        if (!isFloat32(value))
          return refuse('not-finite', `must be a finite number (found ${show(value)})`);
        into.numbers[row * numbers + numberOffset] = withoutSign(value);
        return accepted;
      };
    },
    readCell: readNumber,
    input: { kind: 'numbers' },
  };
}
