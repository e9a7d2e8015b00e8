import { type Cells, type CellWords, cellsAsWritten, cellsOf } from './cells.ts';
import type { ClassWeights } from './class-weights.ts';
import type { FeatureBehaviour, Offsets } from './kinds/kind.ts';
import { behaviourOf, type Feature } from './kinds.ts';
import type { LagColumns, Layout } from './samples.ts';
import type { Scaling } from './scaling.ts';
import { classCount, type DeclaredLabel, labelWidth, outputCount, type Task } from './task.ts';

/** Names of other features that samples may have; or all that are not declared. */
export type Ignored = readonly string[] | 'others';

/** Tells whether a sample may have a feature that is not declared. */
export function ignoring({ ignore }: Pick<Declaration, 'ignore'>): (name: string) => boolean {
  if (ignore === 'others') return () => true;
  const names = new Set(ignore);
  return (name) => names.has(name);
}

/** The parts of a spec that decide how samples are encoded. */
export type Declaration = {
  readonly task: Task;
  readonly features: Readonly<Record<string, Feature>>;
  readonly ignore?: Ignored | undefined;
  /** Whether a sample may lack some of its features. */
  readonly missing?: 'learnt' | undefined;
  /** How cells become values; absent for models of releases before 0.3. */
  readonly cells?: CellWords | undefined;
  /** The rules by which samples become numbers; absent for models of releases before 0.4. */
  readonly revision?: number | undefined;
  readonly label: {
    readonly name: string;
    readonly column?: string | undefined;
    readonly classes?: readonly string[] | undefined;
    readonly maxClasses?: number | undefined;
    readonly outputs?: readonly string[] | undefined;
    readonly standardize?: boolean | undefined;
    readonly classWeights?: ClassWeights | undefined;
  };
  readonly online?: {
    readonly experts?:
      | readonly { readonly halfLife?: number | undefined; readonly predicts?: string }[]
      | undefined;
  };
  readonly optimizer?: { readonly normalized?: boolean | undefined };
};

/** The parts of a declaration that decide its columns. */
export type DeclaredColumns = Pick<
  Declaration,
  'features' | 'cells' | 'revision' | 'online' | 'optimizer'
> & {
  readonly label?:
    | Pick<
        Declaration['label'],
        'standardize' | 'classes' | 'maxClasses' | 'outputs' | 'classWeights'
      >
    | undefined;
};

/** How a declaration reads cells. */
export function cellsOfSpec({ cells, revision }: Pick<Declaration, 'cells' | 'revision'>): Cells {
  if (cells === undefined) return cellsAsWritten;
  return cellsOf(cells, hasExactTexts({ revision }), (revision ?? 0) >= 21);
}

/** Whether whole numbers that JSON has rounded are no values of a category, classes or ids. */
export function hasExactTexts({ revision = 0 }: Pick<Declaration, 'revision'>): boolean {
  return revision >= 10;
}

/** A feature with its columns. */
export type Column = {
  readonly name: string;
  /** Its column in datasets. */
  readonly column: string;
  readonly offsets: Offsets;
  readonly behaviour: FeatureBehaviour;
};

/**
 * The features of a spec in its order, each with its columns: the one place that knows widths and
 * offsets.
 */
export function columnsOf(declaration: DeclaredColumns): readonly Column[] {
  const { features, label } = declaration;
  const reader = cellsOfSpec(declaration);
  const declared = Object.entries(features).map(([name, feature]) => ({
    name,
    column: ('column' in feature ? feature.column : undefined) ?? name,
    behaviour: behaviourOf(feature, reader, outputCount(label ?? {}), features),
  }));
  const row = { numbers: 0, categories: 0 };
  const offsets = declared.map(({ behaviour: { width } }) => {
    const before = { numberOffset: row.numbers, categoryOffset: row.categories };
    row.numbers += width.numbers;
    row.categories += width.categories;
    return before;
  });
  return declared.map((column, i) => ({
    ...column,
    offsets: { numberOffset: 0, categoryOffset: 0, ...offsets[i], row },
  }));
}

/** The widths of a spec's encoded rows. */
export function layoutOf(declaration: DeclaredColumns): Layout {
  const { numbers = 0, categories = 0 } = columnsOf(declaration)[0]?.offsets.row ?? {};
  const { columns, views } = scalingOf(declaration);
  const isExact =
    declaration.cells !== undefined && columns.some(({ isStandardized }) => isStandardized);
  const own = columns.flatMap(({ halfLife }) => halfLife ?? []);
  const halfLives = [...new Set([...own, ...views])];
  const spreads = columns.flatMap(({ by }, column) => (by === undefined ? [] : [{ column, by }]));
  return {
    numberWidth: numbers,
    categoryCount: categories,
    ...(isExact ? { isExact } : {}),
    ...((declaration.revision ?? 0) >= 8 ? judgedLayout(declaration) : {}),
    ...(halfLives.length > 0 ? { halfLives } : {}),
    ...derivedLayout(declaration),
    ...widthOfLabel(declaration.label),
    ...(declaration.label?.standardize ? labelLayout(declaration) : {}),
    ...(declaration.label?.classWeights === 'balanced'
      ? { countedClasses: classCount(declaration.label) ?? 2 }
      : {}),
    ...(spreads.length > 0 ? { spreads } : {}),
    ...growingLayout(declaration),
  };
}

function judgedLayout(declaration: DeclaredColumns): Pick<Layout, 'judged'> {
  const judged = columnsOf(declaration).flatMap(({ name, offsets, behaviour }) =>
    behaviour.isJudged ? [{ name, column: offsets.numberOffset }] : [],
  );
  return judged.length > 0 ? { judged } : {};
}

function widthOfLabel(label: DeclaredLabel = {}): Pick<Layout, 'labelWidth'> {
  return label.outputs === undefined ? {} : { labelWidth: labelWidth(label) };
}

/** Classes that get places as they come; until then hashes stand for them, in float64. */
function growingLayout({
  label,
  cells,
  revision,
}: DeclaredColumns): Pick<Layout, 'growingClasses' | 'hasExactLabels'> {
  if (label?.maxClasses === undefined) return {};
  const reader = cellsOfSpec({ cells, revision });
  const declared = (label.classes ?? []).map((name) => reader.text(name) ?? name);
  return { growingClasses: { declared, most: label.maxClasses }, hasExactLabels: true };
}

/** The columns whose meaning waits for what was learnt before. */
function derivedLayout(
  declaration: DeclaredColumns,
): Pick<Layout, 'targets' | 'lags' | 'vocabularies' | 'nullable' | 'filled'> {
  const columns = columnsOf(declaration);
  const targets = columns.flatMap(({ offsets: { numberOffset, categoryOffset }, behaviour }) =>
    behaviour.target === undefined ? [] : [{ ...behaviour.target, numberOffset, categoryOffset }],
  );
  const lags = columns.flatMap(({ offsets, behaviour: { lag, width } }): LagColumns[] => {
    if (lag === undefined) return [];
    const { numberOffset, categoryOffset } = offsets;
    const { sourceName, ...table } = lag;
    const source = columns.find(({ name }) => name === sourceName)?.offsets.numberOffset;
    const row = width.categories === 0 ? {} : { categoryOffset };
    return [{ ...table, numberOffset, ...row, ...(source === undefined ? {} : { source }) }];
  });
  const vocabularies = columns.flatMap(({ name, offsets: { categoryOffset }, behaviour }) =>
    behaviour.vocabulary === undefined ? [] : [{ name, categoryOffset, ...behaviour.vocabulary }],
  );
  const nullable = columns.flatMap(({ offsets, behaviour }) =>
    Array.from({ length: behaviour.nullableColumns ?? 0 }, (_, i) => offsets.numberOffset + i),
  );
  const isCounted = (declaration.revision ?? 0) < 11;
  return {
    ...(targets.length > 0 ? { targets } : {}),
    ...(lags.length > 0 ? { lags } : {}),
    ...(vocabularies.length > 0 ? { vocabularies } : {}),
    ...(nullable.length > 0 ? { [isCounted ? 'filled' : 'nullable']: nullable } : {}),
  };
}

function labelLayout({
  revision = 0,
  online,
}: DeclaredColumns): Pick<
  Layout,
  'standardizesLabel' | 'ignoresRounding' | 'hasExactLabels' | 'hasLabelRange'
> {
  return {
    standardizesLabel: true,
    ...(revision >= 16 ? { ignoresRounding: true } : {}),
    ...(revision >= 1 ? { hasExactLabels: true } : {}),
    ...(online?.experts ? { hasLabelRange: true } : {}),
  };
}

/** The widths of a spec's rows as engines take them: standardised, in float32. */
export function trainedLayoutOf(declaration: DeclaredColumns): Layout {
  const { numberWidth, categoryCount } = layoutOf(declaration);
  return { numberWidth, categoryCount, ...widthOfLabel(declaration.label) };
}

/** What the norm of samples is beside that of their numbers. */
function normOf(declaration: DeclaredColumns): Pick<Scaling, 'normOfTables' | 'isExact'> {
  const tables = columnsOf(declaration).filter(({ behaviour }) => behaviour.input.kind === 'table');
  return { normOfTables: tables.length, isExact: declaration.cells !== undefined };
}

/** How far from its mean a number may be for experts, in deviations: one outlier is not all. */
const mostDeviations = 8;

/** The same for a network that learns alone, of which nothing is judged: no number is all. */
const farthest = 100;

/** How the number columns of a spec become what its networks see. */
export function scalingOf(declaration: DeclaredColumns): Scaling {
  const ignoresRounding = (declaration.revision ?? 0) >= 16;
  const columns = columnsOf(declaration).flatMap(({ behaviour }) => {
    const { width, isStandardized, halfLife, spread: by, nullableColumns = 0 } = behaviour;
    const own = { isStandardized, halfLife, ...(by && { by }) };
    return Array.from({ length: width.numbers }, (_, i) => ({
      ...own,
      ...(i < nullableColumns && { isNullable: true }),
      ...(ignoresRounding && { size: behaviour.circular?.[i] ? 1 : 0 }),
    }));
  });
  const { experts } = declaration.online ?? {};
  const views = new Set(experts?.flatMap(({ halfLife }) => halfLife ?? []));
  return {
    columns,
    views: [...views],
    ...(experts
      ? { bound: mostDeviations, spreadBound: mostDeviations }
      : ignoresRounding && { bound: farthest }),
    ...(declaration.optimizer?.normalized ? normOf(declaration) : {}),
  };
}
