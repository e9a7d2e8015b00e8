import type { Spec } from './spec.ts';

/** A spec that can learn the samples of the one before: it ignores the features that it has not. */
export function withIgnored(before: Spec, after: Spec): Spec {
  const left = Object.keys(before.features).filter((each) => !Object.hasOwn(after.features, each));
  const ignore = [...new Set([...(after.ignore ?? []), ...left])];
  return ignore.length === 0 ? after : { ...after, ignore };
}
