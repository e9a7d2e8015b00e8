import * as z from 'zod';
import { limits } from '../../limits.ts';
import { show, strictObject } from '../../parse.ts';
import { accepted, refuse } from '../../refusal.ts';
import { type Cells, isFloat32, withoutSign } from '../cells.ts';
import { columnName, type FeatureBehaviour } from './kind.ts';
import { readList } from './vector.ts';

/** Pixels of a shape, as nested lists or one after another, such as those of a digit. */
export const imageSchema = strictObject({
  type: z.literal('image'),
  shape: z
    .array(z.int().min(1).max(limits.vectorLength))
    .min(1)
    .max(4)
    .refine((shape) => pixelsOf(shape) <= limits.vectorLength, {
      error: `must have at most ${limits.vectorLength} pixels`,
      abort: true,
    })
    .describe('height, width and channels, where there are some'),
  scale: z
    .number()
    .min(1e-30)
    .max(1e9)
    .default(255)
    .describe('what each pixel is divided by: its greatest value'),
  column: columnName.optional().describe("its column in datasets; the feature's name unless given"),
  missing: z
    .number()
    .refine(isFloat32, 'must be finite in float32')
    .optional()
    .describe(
      'stands for each pixel of a missing image; a sample without one is refused unless given',
    ),
});

/** How many values an image of a shape has. */
export function pixelsOf(shape: readonly number[]): number {
  return shape.reduce((product, size) => product * size, 1);
}

/** How an image behaves: as many columns as it has pixels, the last dimension fastest. */
export function imageBehaviour(
  { shape, scale, missing }: z.output<typeof imageSchema>,
  cells: Cells,
): FeatureBehaviour {
  const count = pixelsOf(shape);
  const allowed = `must be ${count} finite numbers, one after another or nested as [${shape}]`;
  return {
    width: { numbers: count, categories: 0 },
    isStandardized: false,
    ...(missing !== undefined && { missing: Array.from({ length: count }, () => missing) }),
    writer({ numberOffset, row: { numbers } }) {
      return (cell, into, row) => {
        const pixels = flattened(cell, shape);
        if (pixels === undefined) return refuse('wrong-type', `${allowed} (found ${show(cell)})`);
        const start = row * numbers + numberOffset;
        for (const [i, each] of pixels.entries()) {
          const pixel = cells.number(each);
          const value = pixel === undefined ? undefined : pixel / scale;
          if (!isFloat32(value)) {
            const reason = `pixel ${i} must be a finite number (found ${show(each)})`;
            return refuse('not-finite', reason);
          }
          into.raw[start + i] = withoutSign(value);
        }
        return accepted;
      };
    },
    readCell: readList,
    input: { kind: 'numbers' },
  };
}

/** Pixels one after another; undefined if they are not of a shape. */
function flattened(cell: unknown, shape: readonly number[]): readonly unknown[] | undefined {
  const list = readList(cell);
  if (!Array.isArray(list)) return undefined;
  const isFlat = !list.some((each) => Array.isArray(each) || ArrayBuffer.isView(each));
  if (isFlat) return list.length === pixelsOf(shape) ? list : undefined;
  const [size, ...inner] = shape;
  if (list.length !== size || inner.length === 0) return undefined;
  const parts = list.map((each) => flattened(each, inner));
  if (parts.some((part) => part === undefined)) return undefined;
  return parts.flatMap((part) => part ?? []);
}
