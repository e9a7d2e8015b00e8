import { classWeightsOf, type KnownClasses, weighed } from '../features/class-weights.ts';
import type { EncodedSamples, Floats } from '../features/samples.ts';
import { classCount } from '../features/task.ts';
import { type Expert, isNetwork, isOfNeighbours, isOfTrees } from '../spec/experts-schema.ts';
import type { Spec } from '../spec/spec.ts';

/**
 * Whether an expert makes more of a sample than one step of descent: it learns it again and again,
 * by how sure it is, or as one of those that it keeps.
 */
function makesMore(expert: Expert): boolean {
  if (!isNetwork(expert)) return isOfNeighbours(expert) || isOfTrees(expert);
  return expert.replay || expert.secondOrder === true;
}

/**
 * Whether classes weigh in answers alone, not in what is learnt (of specs since revision 22). Those
 * experts would learn few samples that weigh much by heart; so all learn shares as they are, and
 * what is answered is as if samples came so often as they weigh. (Not where a job draws them so.)
 */
function weighsAnswers({ revision = 0, label, online, batch }: Spec): boolean {
  if (label.classWeights === undefined || batch.sampling !== undefined || revision < 22)
    return false;
  return online.experts?.some(makesMore) === true;
}

/** Samples that weigh as they are to be learnt, or to tell experts apart; see {@link weighed}. */
export function weighedToLearn(
  samples: EncodedSamples,
  spec: Spec,
  statistics: KnownClasses,
): EncodedSamples {
  const { classWeights: _, ...label } = spec.label;
  return weighed(samples, weighsAnswers(spec) ? { ...spec, label } : spec, statistics);
}

/**
 * What each class weighs in answers, [classes], 1 of those without a place; undefined where answers
 * are as they are learnt.
 */
export function answerWeightsOf(spec: Spec, known: KnownClasses): Float64Array | undefined {
  const weights = weighsAnswers(spec) ? classWeightsOf(spec, known) : undefined;
  if (weights === undefined) return undefined;
  return Float64Array.from({ length: classCount(spec.label) ?? 2 }, (_, at) => weights[at] ?? 1);
}

/**
 * Probabilities as they would be if samples came so often as their class weighs (Elkan 2001; the
 * adjusted logits of Menon et al. 2021).
 *
 * @param shares of true, [count], or of each class, [count, classes]
 * @param weights {@link answerWeightsOf}
 * @param outputs how many probabilities a sample has
 */
export function weighedAnswers(shares: Floats, weights: Float64Array, outputs: number): Floats {
  const own = shares.slice();
  if (outputs === 1) {
    const [ofFalse = 1, ofTrue = 1] = weights;
    return own.map((share) => {
      const weight = ofTrue * share;
      return weight / (weight + ofFalse * (1 - share));
    });
  }
  for (let first = 0; first < own.length; first += outputs) {
    let sum = 0;
    weights.forEach((weight, at) => {
      sum += weight * (own[first + at] ?? 0);
    });
    weights.forEach((weight, at) => {
      own[first + at] = (weight * (own[first + at] ?? 0)) / sum;
    });
  }
  return own;
}
