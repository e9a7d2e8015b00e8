import type { Rival } from '../metrics/outcomes.ts';
import type { RivalFigures } from '../metrics/rival-figures.ts';
import type { StreamMetrics } from '../metrics/stream-metrics.ts';
import { figure, formatTable } from './progress.ts';

type Earned = NonNullable<StreamMetrics['lately']>;

/** A line of a table: a figure of a model, and the same of those that one has for nothing. */
type Row = {
  readonly name: string;
  readonly model: number | undefined;
} & Readonly<Partial<Record<Rival, number | undefined>>>;

/** What a stream earned beside what one has for nothing, and then of its last samples. */
export function earnedTables({ lately, ...stream }: StreamMetrics): readonly string[] {
  return [
    ...earnedTable('before learning', stream),
    ...(lately === undefined ? [] : earnedTable('lately', lately)),
  ];
}

/** The figures that rivals have under the same name. */
const sharedFigures: readonly (readonly [name: string, of: keyof Omit<RivalFigures, 'outputs'>])[] =
  [
    ['balanced accuracy', 'balancedAccuracy'],
    ["Cohen's κ", 'cohensKappa'],
    ['F1', 'f1'],
    ['precision', 'precision'],
    ['recall', 'recall'],
    ['mean absolute error', 'meanAbsoluteError'],
  ];

/** Figures beside those that one has for nothing. */
export function earnedTable(title: string, earned: Earned): readonly string[] {
  const rows = rowsOf(earned).filter(({ model }) => model !== undefined);
  const columns = (['model', 'prior', 'lastLabel'] as const).filter((column) =>
    rows.some((row) => row[column] !== undefined),
  );
  const head = { model: '', prior: 'the labels alone', lastLabel: 'the last label' };
  const cells = rows.map((row) => [row.name, ...columns.map((column) => figure(row[column]))]);
  return ['', formatTable([[title, ...columns.map((column) => head[column])], ...cells])];
}

function rowsOf(earned: Earned): readonly Row[] {
  const { prior, lastLabel } = earned.rivals ?? {};
  const shared = sharedFigures.map(([name, of]): Row => {
    return { name, model: earned[of], prior: prior?.[of], lastLabel: lastLabel?.[of] };
  });
  return [
    {
      name: 'loss',
      model: earned.loss,
      prior: earned.baselineLoss,
      lastLabel: earned.lastLabelLoss,
    },
    {
      name: 'accuracy',
      model: earned.accuracy,
      prior: earned.baselineAccuracy,
      lastLabel: earned.lastLabelAccuracy,
    },
    ...shared,
    {
      name: 'root mean squared error',
      model: earned.rootMeanSquaredError,
      prior: earned.baselineRootMeanSquaredError ?? prior?.rootMeanSquaredError,
      lastLabel: lastLabel?.rootMeanSquaredError,
    },
    ...outputRows(earned),
    { name: 'R²', model: earned.rSquared },
    {
      name: 'area under the curve',
      model: isAreaKnown(earned) ? earned.areaUnderCurve : undefined,
    },
    { name: 'calibration error', model: earned.calibrationError },
  ];
}

/** Where all predictions lie in one bin, the area may be anything. */
function isAreaKnown({ areaError = 0 }: Earned): boolean {
  return areaError < 0.5;
}

/** How far each of several outputs was off. */
function outputRows({ outputs = {}, rivals }: Earned): readonly Row[] {
  const parts = [
    ['mean absolute error', 'meanAbsoluteError'],
    ['root mean squared error', 'rootMeanSquaredError'],
  ] as const;
  return Object.entries(outputs).flatMap(([output, errors]) =>
    parts.map(([name, of]) => ({
      name: `${output}: ${name}`,
      model: errors[of],
      prior: rivals?.prior.outputs?.[output]?.[of],
      lastLabel: rivals?.lastLabel.outputs?.[output]?.[of],
    })),
  );
}
