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

/** Whether trees look at the numbers of a feature: each of a text's says next to nothing. */
export function isOfTreeNumbers(feature: { readonly type: string } | undefined): boolean {
  return feature?.type !== 'text';
}

/** The columns of numbers that trees look at. (Before revision 23, all of them.) */
export function treeNumbers(declared: DeclaredColumns): Int32Array {
  const { features, revision = 0 } = declared;
  const places = columnsOf(declared).flatMap(({ name, offsets, behaviour }) => {
    const isLookedAt = revision < 23 || isOfTreeNumbers(features[name]);
    const { numbers } = behaviour.width;
    const ofFeature = Array.from({ length: numbers }, (_, i) => offsets.numberOffset + i);
    return isLookedAt ? ofFeature : [];
  });
  return Int32Array.from(places);
}

/** The columns of indices that trees look at. */
export function treeCategories(declared: DeclaredColumns): readonly number[] {
  return columnsOf(declared).flatMap(({ name, offsets, behaviour }) =>
    isTreeCategory(declared.features[name], behaviour) ? [offsets.categoryOffset] : [],
  );
}
