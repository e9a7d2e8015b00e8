import { columnsOf, layoutOf } from '../../features/columns.ts';
import type { Spec } from '../../spec/spec.ts';

/** What is known of the weight of a number that is standardised. */
const ofNumber = 1;
/**
 * The same of the numbers of a text, whose squares sum to 1: what one word says may be much, above
 * all of a class. (Of specs before revision 22 as of any number; of regressions before 23 as of
 * classes.)
 */
const ofText = { value: 4, classes: 16 };
/** The same of all numbers of a time together: they are of one thing. (As of a text.) */
const ofTimestamp = 1;

/**
 * What a linear model of second order knows of weights of numbers before the first sample: their
 * variances, in units of the noise of a sample, [numbers].
 */
export function numberPriors(spec: Spec): Float64Array {
  const priors = new Float64Array(layoutOf(spec).numberWidth).fill(ofNumber);
  const { task, revision = 0 } = spec;
  if (revision < 22) return priors;
  const word = task === 'regression' && revision >= 23 ? ofText.value : ofText.classes;
  for (const { name, offsets, behaviour } of columnsOf(spec)) {
    const { numbers } = behaviour.width;
    const own = priors.subarray(offsets.numberOffset, offsets.numberOffset + numbers);
    const { type } = spec.features[name] ?? {};
    if (type === 'text') own.fill(word);
    if (type === 'timestamp') own.fill(ofTimestamp / numbers);
  }
  return priors;
}
