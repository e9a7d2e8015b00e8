import type { Spec } from './spec.ts';

/**
 * A spec that can learn the samples of the one before: it ignores the features that it has not,
 * and, unless its author says what is ignored, what the one before ignores.
 */
export function withIgnored(
  before: Spec,
  after: Spec,
  said: { readonly ignore?: readonly string[] | undefined },
): Spec {
  const names = [...(said.ignore ?? before.ignore ?? []), ...Object.keys(before.features)];
  const left = names.filter((each) => !Object.hasOwn(after.features, each));
  const { ignore: _, ...own } = after;
  if (left.length === 0 && said.ignore === undefined) return own;
  return { ...own, ignore: [...new Set(left)] };
}
