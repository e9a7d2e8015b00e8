import * as z from 'zod';
import { limits } from '../../limits.ts';
import { show, strictObject } from '../../parse.ts';
import { accepted, refuse } from '../../refusal.ts';
import { type Cells, cellsAsWritten, isFloat32, withoutSign } from '../cells.ts';
import { indicatorSchema } from './indicator.ts';
import { columnName, type FeatureBehaviour, unknownMean } from './kind.ts';

/** A list of `length` finite numbers, such as pixels or a text embedding. */
export const vectorSchema = strictObject({
  type: z.literal('vector'),
  length: z
    .int()
    .min(1)
    // (Whatever else is wrong: what looks for that makes room for each element.)
    .max(limits.vectorLength, { abort: true })
    .describe('how many elements it has'),
  standardize: z
    .boolean()
    .default(false)
    .describe(
      'each element by its mean and variance; a declaration with hidden layers turns it on',
    ),
  column: columnName.optional().describe("its column in datasets; the feature's name unless given"),
  missing: z
    .union([z.number().refine(isFloat32, 'must be finite in float32'), z.literal('mean')])
    .optional()
    .describe(
      'stands for each element of a missing list, `mean` for its mean so far and, unless ' +
        'indicator is false, one more number that says so; a sample without a list is refused unless given',
    ),
  indicator: indicatorSchema,
});

/** How a vector behaves: as many columns as it has elements. */
export function vectorBehaviour(
  { length, standardize, missing }: z.output<typeof vectorSchema>,
  cells: Cells,
): FeatureBehaviour {
  const fillsMean = missing === 'mean';
  const constant = typeof missing === 'number' ? Array.from({ length }, () => missing) : undefined;
  return {
    width: { numbers: length, categories: 0 },
    isStandardized: standardize,
    missing: fillsMean ? unknownMean : constant,
    ...(fillsMean ? { nullableColumns: length } : {}),
    writer({ numberOffset, row: { numbers } }) {
      return (cell, into, row) => {
        const start = row * numbers + numberOffset;
        if (cell === unknownMean) {
          into.raw.fill(Number.NaN, start, start + length);
          return accepted;
        }
        const value = cells === cellsAsWritten ? cell : readList(cell);
        if (!Array.isArray(value) || value.length !== length) {
          const found = Array.isArray(value) ? `${value.length} elements` : show(value);
          return refuse(
            'wrong-type',
            `must be a list of ${length} finite numbers (found ${found})`,
          );
        }
        const elements = value.map(cells.number);
        const wrong = elements.findIndex((element) => !isFloat32(element));
        if (wrong >= 0) {
          const reason = `element ${wrong} must be a finite number (found ${show(value[wrong])})`;
          return refuse('not-finite', reason);
        }
        elements.forEach((element = 0, i) => {
          into.raw[start + i] = withoutSign(element);
        });
        return accepted;
      };
    },
    readCell: readList,
    input: { kind: 'numbers' },
  };
}

/** A list: an array, as JSON in CSV, or a typed array in Parquet. */
export function readList(cell: unknown): unknown {
  if (typeof cell === 'bigint') return Number(cell);
  if (ArrayBuffer.isView(cell)) return Array.from(cell as Float32Array);
  if (typeof cell !== 'string') return cell;
  try {
    return JSON.parse(cell);
  } catch {
    return cell;
  }
}
