import { crossValidate, type Fold } from '../operations/cross-validate.ts';
import type { Io } from './io.ts';
import { figure, formatCount, formatTable } from './progress.ts';
import { readSpecFile } from './spec-file.ts';

/** What is asked for. */
export type CrossValidateArguments = {
  readonly model: string;
  readonly dataset: string;
  readonly folds: number;
  readonly files?: string | undefined;
  readonly spec?: string | undefined;
};

/** Columns of a table of what held-out rows say, where there is such a figure. */
export const figureColumns = [
  ['loss', 'loss'],
  ['accuracy', 'accuracy'],
  ['balancedAccuracy', 'balanced'],
  ['areaUnderCurve', 'AUC'],
  ['meanAbsoluteError', 'MAE'],
  ['rSquared', 'R²'],
] as const;

/** Trains a model once for each fold of a dataset, and shows what the others' rows say of it. */
export async function runCrossValidation(
  { ports, print, result, progress }: Io,
  { model, dataset, folds, files, spec }: CrossValidateArguments,
): Promise<number> {
  const bar = progress?.bar('validating', folds, 'folds');
  const own = spec === undefined ? undefined : await readSpecFile(spec);
  const onFold = (_: Fold, done: number) => bar?.update(done);
  const validation = { dataset, files, folds, spec: own, onFold };
  const validated = await crossValidate(ports, model, validation).finally(() => bar?.finish());
  result(validated);
  const shown = figureColumns.filter(([name]) => validated.figures[name] !== undefined);
  const head = [
    'fold',
    'learnt',
    'held out',
    'epochs',
    ...shown.map(([, title]) => title),
    'labels alone',
  ];
  const rows = validated.folds.map(
    ({ rows: learnt, heldOutRows, epochs, heldOut, baseline }, i) => [
      String(i + 1),
      formatCount(learnt),
      formatCount(heldOutRows),
      String(epochs),
      ...shown.map(([name]) => figure(heldOut[name])),
      figure(baseline),
    ],
  );
  const line = (title: string, part: 'mean' | 'deviation') => [
    title,
    '',
    '',
    '',
    ...shown.map(([name]) => figure(validated.figures[name]?.[part])),
    '',
  ];
  print(formatTable([head, ...rows, line('mean', 'mean'), line('±', 'deviation')]));
  return 0;
}
