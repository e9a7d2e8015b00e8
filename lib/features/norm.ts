import { countOf, varianceOf } from './moments.ts';
import { columnScales, momentsOfColumn, type Scaling } from './scaling.ts';
import type { FeatureStatistics } from './statistics.ts';

/**
 * What Vowpal Wabbit's normalised learner multiplies the rate of a step by: the root of t / N, where
 * N / t is the mean squared norm of the samples so far (Ross, Mineiro and Langford 2013, algorithm
 * 3), as the network sees them by the statistics of that step. A table's value is a 1, and so is
 * what biases are of. So one rate suits models of few and of many features.
 *
 * @returns 1 for specs that do not ask for it
 */
export function rateFactor(statistics: FeatureStatistics, scaling: Scaling): number {
  const { normOfTables } = scaling;
  if (normOfTables === undefined) return 1;
  return 1 / Math.sqrt(1 + normOfTables + meanSquaredNorm(statistics, scaling));
}

/** That of the columns of numbers. */
function meanSquaredNorm(statistics: FeatureStatistics, scaling: Scaling): number {
  const { mean, scale, most, standIn } = columnScales(
    statistics,
    scaling,
    scaling.isExact ?? false,
  );
  return scaling.columns.reduce((norm, column, i) => {
    const moments = momentsOfColumn(statistics, column);
    const distance = (moments.mean[i] ?? 0) - (mean[i] ?? 0);
    const ofKnown = varianceOf(moments, i) + distance ** 2;
    const ofMissing = ((standIn[i] ?? 0) - (mean[i] ?? 0)) ** 2;
    const known = countOf(statistics, i);
    const share = known / Math.max(known + (statistics.gaps?.[i] ?? 0), 1);
    const square = (scale[i] ?? 0) ** 2 * (ofKnown * share + ofMissing * (1 - share));
    return norm + Math.min(square, (most[i] ?? 0) ** 2);
  }, 0);
}
