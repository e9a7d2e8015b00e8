import type { FeatureBehaviour, Offsets } from './kinds/kind.ts';
import { behaviourOf, type Feature } from './kinds.ts';
import type { Layout } from './samples.ts';

/** The parts of a spec that decide how samples are encoded. */
export type Declaration = {
  readonly task: Task;
  readonly features: Readonly<Record<string, Feature>>;
  readonly label: { readonly name: string; readonly classes?: readonly string[] | undefined };
};

/** What a model predicts: a number, true or false, or one of several classes. */
export type Task = 'regression' | 'binary' | 'multiclass';

/** A feature with its columns. */
export type Column = {
  readonly name: string;
  readonly offsets: Offsets;
  readonly behaviour: FeatureBehaviour;
};

/**
 * The features of a spec in its order, each with its columns: the one place that knows widths and
 * offsets.
 */
export function columnsOf({ features }: Pick<Declaration, 'features'>): readonly Column[] {
  const declared = Object.entries(features).map(([name, feature]) => ({
    name,
    behaviour: behaviourOf(feature),
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
export function layoutOf(declaration: Pick<Declaration, 'features'>): Layout {
  const { numbers = 0, categories = 0 } = columnsOf(declaration)[0]?.offsets.row ?? {};
  return { numberWidth: numbers, categoryCount: categories };
}

/** Which number columns a spec standardises, [numberWidth]. */
export function standardizedColumns(declaration: Pick<Declaration, 'features'>): boolean[] {
  return columnsOf(declaration).flatMap(({ behaviour: { width, isStandardized } }) =>
    Array<boolean>(width.numbers).fill(isStandardized),
  );
}
