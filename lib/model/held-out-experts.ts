import { type Judgement, judgedTogether, noJudgement } from '../engine/experts/judgement.ts';
import { type EncodedSamples, type Floats, gatherSamples } from '../features/samples.ts';
import type { Parameters } from '../state/state.ts';
import { weighedToLearn } from './answer-weights.ts';
import type { Model } from './model.ts';
import { predict, predictAndJudge } from './predict.ts';

/** Some of the held-out samples, and what experts lost on them. */
type Part = {
  readonly rows: Int32Array;
  readonly own: EncodedSamples;
  readonly judgement: Judgement;
};

/** Parts in which held-out samples are predicted by what the others choose. */
const mostParts = 10;

/**
 * The parameters in which experts count by what they predict of samples that none has learnt; and
 * what is predicted of these: of each tenth by the experts that the others choose. By those that
 * all of them choose, what is noise alone would be predicted better than by its shares.
 *
 * Where the weights had learnt some of the samples in a stream before, whoever knows them by heart
 * would be chosen: there experts count by what they earned in it.
 *
 * @param samples whose classes have places
 * @param areKnown whether the weights had learnt some before
 * @returns predictions, [count, outputs]
 */
export async function chooseExperts(
  model: Model,
  parameters: Parameters,
  samples: EncodedSamples,
  areKnown = false,
): Promise<{ readonly chosen: Parameters; readonly predictions: Floats }> {
  const { compiled, encoder } = model;
  const { experts, outputs } = compiled;
  const { count } = samples;
  if (experts === undefined || areKnown || count === 0)
    return { chosen: parameters, predictions: await predict(model, parameters, samples) };
  const step = Math.min(mostParts, count);
  const parts: Part[] = [];
  for (let first = 0; first < step; first++) {
    const length = Math.ceil((count - first) / step);
    const rows = Int32Array.from({ length }, (_, i) => first + i * step);
    const own = gatherSamples(samples, rows, encoder.layout);
    const toJudge = weighedToLearn(own, model.spec, parameters.statistics);
    const { judgement } = await predictAndJudge(model, parameters, toJudge);
    parts.push({ rows, own, judgement: judgement ?? noJudgement(experts.count) });
  }
  const chosenBy = (judges: readonly Part[]) => {
    const judgement = judgedTogether(judges.map((each) => each.judgement));
    return { ...parameters, ...experts.choose(parameters, judgement) };
  };
  const predictions = new Float64Array(count * outputs);
  for (const part of parts) {
    // (A single sample has no others.)
    const others = step === 1 ? parts : parts.filter((each) => each !== part);
    const answers = await predict(model, chosenBy(others), part.own);
    for (const [at, row] of part.rows.entries())
      predictions.set(answers.subarray(at * outputs, (at + 1) * outputs), row * outputs);
  }
  return { chosen: chosenBy(parts), predictions };
}
