import { classCount } from '../../features/task.ts';
import type { Spec } from '../../spec/spec.ts';
import { isFiniteArray } from '../finite.ts';

/**
 * Answers of experts, where one whose weights have grown without bounds says what is no number, and
 * another network says one: that one says `nothing` then, and spoils no answer. Where no network
 * says a number, as of numbers that are too large, nothing is changed.
 *
 * @param each what each says, [count, outputs]
 * @param areNetworks which of them are networks
 * @param nothing what it says of each output who knows nothing
 */
export function heard(
  each: readonly Float32Array[],
  areNetworks: readonly boolean[],
  { outputs, nothing }: { readonly outputs: number; readonly nothing: number },
): readonly Float32Array[] {
  if (each.every(isFiniteArray)) return each;
  const isSaid = (answers: Float32Array, start: number) =>
    isFiniteArray(answers.subarray(start, start + outputs));
  return each.map((answers) => {
    if (isFiniteArray(answers)) return answers;
    const own = answers.slice();
    for (let start = 0; start < own.length; start += outputs) {
      const isSaidByAnother = each.some((other, i) => areNetworks[i] && isSaid(other, start));
      if (isSaidByAnother && !isSaid(answers, start)) own.fill(nothing, start, start + outputs);
    }
    return own;
  });
}

/** What it says of each output who knows nothing: the mean of labels, or that classes are alike. */
export function withoutKnowledge({ task, label }: Spec): number {
  return task === 'regression' ? 0 : 1 / (classCount(label) ?? 2);
}
