import { columnsOf, type DeclaredColumns } from '../features/columns.ts';
import { expertLimits } from './expert-limits.ts';

/** The columns of indices that trees look at: of categories whose values do not change places. */
export function treeCategories(declared: DeclaredColumns): readonly number[] {
  return columnsOf(declared).flatMap(({ name, offsets, behaviour: { input, vocabulary } }) =>
    declared.features[name]?.type === 'category' &&
    vocabulary?.expireAfter === undefined &&
    input.kind === 'table' &&
    input.rows <= expertLimits.treeCategoryRows
      ? [offsets.categoryOffset]
      : [],
  );
}
