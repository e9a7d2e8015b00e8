import * as z from 'zod';
import { strictObject } from '../../parse.ts';
import { accepted } from '../../refusal.ts';
import {
  type Cells,
  isFloat32,
  isRoundedNumber,
  noNumber,
  readNumber,
  withoutSign,
} from '../cells.ts';
import { indicatorSchema } from './indicator.ts';
import { columnName, type FeatureBehaviour, halfLifeSchema, unknownMean } from './kind.ts';

/** A finite number; standardised by the running mean and variance unless `standardize` is false. */
export const numberSchema = strictObject({
  type: z.literal('number'),
  standardize: z
    .union([z.boolean(), z.enum(['minMax', 'maxAbs', 'robust'])])
    .default(true)
    .describe(
      'by its running mean and variance; `minMax`: its least value so far is 0 and its greatest 1; ' +
        '`maxAbs`: 0 stays 0, and its greatest size so far is 1; `robust`: its median so far is 0, ' +
        'and the distance of its quartiles 1',
    ),
  log: z
    .boolean()
    .optional()
    .describe('takes the logarithm of 1 + its size, with its sign: prices, counts, durations'),
  clip: z
    .tuple([z.number(), z.number()], 'must be a list of the least and the greatest value')
    .refine(
      ([least, greatest]) => least < greatest && isFloat32(least) && isFloat32(greatest),
      'must be the least and the greatest value, finite in float32',
    )
    .optional()
    .describe('the least and the greatest value: what is beyond is taken for the nearer one'),
  halfLife: halfLifeSchema
    .optional()
    .describe(
      'samples after which one counts half in mean and variance; all count alike unless given',
    ),
  column: columnName.optional().describe("its column in datasets; the feature's name unless given"),
  missing: z
    .union([z.number(), z.literal('mean')])
    .optional()
    .describe(
      'stands for a missing value, `mean` for the mean so far (of `robust` the median) and, unless ' +
        'indicator is false, a second number that says so; a sample without one is refused unless given',
    ),
  indicator: indicatorSchema,
});

/** How a number behaves: one column. */
export function numberBehaviour(
  { standardize, log = false, clip, halfLife, missing }: z.output<typeof numberSchema>,
  cells: Cells,
): FeatureBehaviour {
  const fillsMean = missing === 'mean';
  return {
    width: { numbers: 1, categories: 0 },
    isStandardized: standardize !== false,
    isJudged: standardize !== false && clip === undefined && !log,
    spread: typeof standardize === 'string' ? standardize : undefined,
    halfLife,
    missing: fillsMean ? unknownMean : missing,
    asSource: (cell) => (cell === unknownMean ? 'missing' : asTaken(cells.number(cell), cell)),
    ...(fillsMean ? { nullableColumns: 1 } : {}),
    writer({ numberOffset, row: { numbers } }) {
      return (cell, into, row) => {
        const place = row * numbers + numberOffset;
        if (cell === unknownMean) {
          // What stands here once it is known what was learnt before.
          into.raw[place] = Number.NaN;
          return accepted;
        }
        const value = within(clip, cells.number(cell));
        if (!isFloat32(value)) return noNumber(cells, cell);
        into.raw[place] = withoutSign(log ? logarithm(value) : value);
        return accepted;
      };
    },
    readCell: readNumber,
    input: { kind: 'numbers' },
  };
}

/** What others take a cell for: of a whole number beyond 2^53 the text of the one nearest to it. */
function asTaken(number: number | undefined, cell: unknown): unknown {
  return isRoundedNumber(number) ? String(number) : (number ?? cell);
}

/** A number no further than some bounds. */
function within(bounds: readonly [number, number] | undefined, value: number | undefined) {
  if (bounds === undefined || value === undefined) return value;
  const [least, greatest] = bounds;
  return Math.min(Math.max(value, least), greatest);
}

/** The logarithm of 1 + a number's size, with its sign. */
function logarithm(value: number): number {
  return Math.sign(value) * Math.log(1 + Math.abs(value));
}
