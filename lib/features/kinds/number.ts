import { z } from 'zod';
import { show, strictObject } from '../../parse.ts';
import { accepted, refuse } from '../../refusal.ts';
import { type Cells, isFloat32, readNumber, withoutSign } from '../cells.ts';
import { columnName, type FeatureBehaviour, halfLifeSchema } from './kind.ts';

/** A finite number; standardised by the running mean and variance unless `standardize` is false. */
export const numberSchema = strictObject({
  type: z.literal('number'),
  standardize: z.boolean().default(true).describe('by its running mean and variance'),
  halfLife: halfLifeSchema
    .optional()
    .describe(
      'samples after which one counts half in mean and variance; all count alike unless given',
    ),
  column: columnName.optional().describe("its column in datasets; the feature's name unless given"),
  missing: z
    .number()
    .optional()
    .describe('stands for a missing value; a sample without one is refused unless given'),
});

/** How a number behaves: one column. */
export function numberBehaviour(
  { standardize, halfLife, missing }: z.output<typeof numberSchema>,
  cells: Cells,
): FeatureBehaviour {
  return {
    width: { numbers: 1, categories: 0 },
    isStandardized: standardize,
    halfLife,
    missing,
    writer({ numberOffset, row: { numbers } }) {
      return (cell, into, row) => {
        const value = cells.number(cell);
        if (!isFloat32(value))
          return refuse('not-finite', `must be a finite number (found ${show(cell)})`);
        into.raw[row * numbers + numberOffset] = withoutSign(value);
        return accepted;
      };
    },
    readCell: readNumber,
    input: { kind: 'numbers' },
  };
}
