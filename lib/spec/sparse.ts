import type { Feature } from '../features/kinds.ts';
import { expertLimits } from './expert-limits.ts';

/**
 * Whether most numbers of a feature are 0 in any sample: those of a long text. What learns pairs of
 * numbers takes them for independent.
 */
export function isSparse(feature: Feature): boolean {
  return feature.type === 'text' && feature.buckets > expertLimits.denseBuckets;
}
