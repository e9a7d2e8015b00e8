import { columnsOf, type DeclaredColumns } from '../features/columns.ts';
import type { FeatureBehaviour } from '../features/kinds/kind.ts';
import { expertLimits } from './expert-limits.ts';

/** Whether trees look at a feature: at a category whose values do not change places. */
export function isTreeCategory(
  feature: { readonly type: string } | undefined,
  { input, vocabulary }: FeatureBehaviour,
): boolean {
  return (
    feature?.type === 'category' &&
    vocabulary?.expireAfter === undefined &&
    input.kind === 'table' &&
    input.rows <= expertLimits.treeCategoryRows
  );
}

/** The columns of indices that trees look at. */
export function treeCategories(declared: DeclaredColumns): readonly number[] {
  return columnsOf(declared).flatMap(({ name, offsets, behaviour }) =>
    isTreeCategory(declared.features[name], behaviour) ? [offsets.categoryOffset] : [],
  );
}
