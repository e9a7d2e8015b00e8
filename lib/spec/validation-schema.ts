import * as z from 'zod';
import { cellsOf, cellsSchema } from '../features/cells.ts';
import { columnName } from '../features/kinds/kind.ts';
import { timeOf } from '../features/kinds/timestamp.ts';
import { limits } from '../limits.ts';
import { strictObject } from '../parse.ts';
import { datasetName, fileNames } from './names.ts';

const isTime = (text: string) => timeOf(text, cellsOf(cellsSchema.parse({}))) !== undefined;

/** Which rows of a dataset are held out. */
export const validationSchema = z
  .union([
    z.number().min(0).max(0.5),
    strictObject({
      column: columnName.describe('a column of the dataset, or a feature of the samples'),
      from: z
        .union([z.number(), z.string().refine(isTime, 'must be a number or a time')])
        .describe('rows in which it is this or more, or this time or later, are held out'),
    }),
    strictObject({
      folds: z.int().min(2).max(limits.folds).describe('into how many folds rows are drawn'),
      fold: z.int().min(0).describe('the number of the one that is held out, from 0'),
    }).refine(({ folds, fold }) => fold < folds, 'fold: must be less than folds'),
    strictObject({
      files: fileNames.describe(
        'rows of these files of the dataset are held out; `*` stands for anything',
      ),
    }),
    strictObject({
      dataset: datasetName
        .refine((name) => name !== 'journal', 'the journal is no dataset of files')
        .describe('all rows of this other dataset are held out, and none of those to learn'),
    }),
  ])
  .describe(
    'what is held out, for early stopping and the comparison: a share of the rows, those that say ' +
      'so in a column (`{"column": "day", "from": "2026-03-01"}`), those of some files ' +
      '(`{"files": "2026-03*"}`), another dataset (`{"dataset": "sales-test"}`), or one of several ' +
      'folds (`millrace kfold` takes each)',
  );

/** What is wrong with the job that a change of the stream starts, beside a dataset held out. */
export function problemsOfHeldOutDataset({
  batch: { validation },
  online: { drift },
}: {
  readonly batch: { readonly validation: z.output<typeof validationSchema> };
  readonly online: {
    readonly drift?: { readonly job?: { readonly dataset: string } | undefined } | undefined;
  };
}): readonly string[] {
  if (typeof validation === 'number' || !('dataset' in validation)) return [];
  const learns = drift?.job?.dataset;
  if (learns !== 'journal' && learns !== validation.dataset) return [];
  const why = learns === 'journal' ? 'no dataset is held out of the journal' : 'that is held out';
  return [`would fail: it learns ${learns}, and ${why}; name another dataset`];
}
