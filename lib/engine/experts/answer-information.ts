import { logarithm, sigmoid, softmax } from '../../arithmetic.ts';
import { type EncodedSamples, labelsOfRow } from '../../features/samples.ts';
import type { Spec } from '../../spec/spec.ts';

/**
 * No answer is so sure that what was right says nothing: of a class that comes once in a hundred
 * times, most answers are. (Of specs before revision 22, more was said.)
 */
function leastInformation(revision: number): number {
  return revision < 22 ? 0.02 : 0.002;
}

/** From here on, log-odds have moved so far that probabilities are not linear in them. */
const smallStep = 1;

/**
 * How much of a step log-odds may make: no more than leads to where its probability, as it is then,
 * would take them (Kulis and Bartlett 2010). One sample of a great weight would lead anywhere.
 *
 * @param step of log-odds, up where the class is the right one
 * @param reach the variance of the log-odds, times the sample's weight
 */
export function shareOfStep(
  step: number,
  { share, reach }: { readonly share: number; readonly reach: number },
): number {
  if (Math.abs(step) <= smallStep) return 1;
  const isRight = step > 0;
  const [own, label] = [
    logarithm(Math.max(share, 1e-300) / Math.max(1 - share, 1e-300)),
    Number(isRight),
  ];
  let [near, far] = [0, Math.abs(step)];
  for (let half = 0; half < 20; half++) {
    const middle = (near + far) / 2;
    const there = own + (isRight ? middle : -middle);
    const pull = reach * Math.abs(label - sigmoid(there));
    if (pull > middle) near = middle;
    else far = middle;
  }
  return far / Math.abs(step);
}

/**
 * What is wrong with an answer, which is replaced by the way to what is right: of classes in
 * probabilities.
 *
 * @returns its loss, how much a sample says of the answer, and of classes their probabilities
 */
export function judge(
  { task, revision = 0 }: Pick<Spec, 'task' | 'revision'>,
  answer: Float64Array,
  samples: EncodedSamples,
  row: number,
) {
  if (task === 'regression') {
    let loss = 0;
    for (let output = 0; output < answer.length; output++) {
      const label = samples.labels[row * labelsOfRow(samples) + output] ?? 0;
      const way = label - (answer[output] ?? 0);
      loss += (way * way) / 2 / answer.length;
      answer[output] = way;
    }
    return { loss, information: 1, shares: undefined };
  }
  const label = samples.labels[row] ?? 0;
  const least = leastInformation(revision);
  if (task === 'binary') {
    const share = sigmoid(answer[0] ?? 0);
    answer[0] = label - share;
    const right = label === 1 ? share : 1 - share;
    return {
      loss: lossOfShare(right),
      information: Math.max(least, share * (1 - share)),
      shares: Float64Array.of(share),
    };
  }
  const shares = softmax(answer.slice());
  let information = least;
  shares.forEach((share, output) => {
    information = Math.max(information, share * (1 - share));
    answer[output] = Number(output === label) - share;
  });
  return { loss: lossOfShare(shares[label] ?? 0), information, shares };
}

function lossOfShare(share: number): number {
  return -logarithm(Math.max(share, 1e-300));
}
