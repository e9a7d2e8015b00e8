import { judgedTogether, noJudgement } from '../engine/experts/judgement.ts';
import { type EncodedSamples, type Floats, gatherSamples } from '../features/samples.ts';
import type { Parameters } from '../state/state.ts';
import type { Model } from './model.ts';
import { predict, predictAndJudge } from './predict.ts';

/** The parameters in which experts count by what they predict of samples that none has learnt. */
export async function withChosenExperts(
  model: Model,
  parameters: Parameters,
  samples: EncodedSamples,
): Promise<Parameters> {
  const { experts } = model.compiled;
  if (experts === undefined || samples.count === 0) return parameters;
  const { judgement } = await predictAndJudge(model, parameters, samples);
  if (judgement === undefined) return parameters;
  return { ...parameters, ...experts.choose(parameters, judgement) };
}

/** Parts in which held-out samples are predicted by what the others choose. */
const mostParts = 10;

/**
 * What parameters predict of held-out samples by which experts are chosen: of each tenth of them
 * by the experts that the others choose. By those that all of them choose, what is noise alone
 * would be predicted better than by its shares.
 *
 * @returns [count, outputs]
 */
export async function predictHeldOut(
  model: Model,
  parameters: Parameters,
  samples: EncodedSamples,
): Promise<Floats> {
  const { compiled, encoder } = model;
  const { experts, outputs } = compiled;
  const { count } = samples;
  if (experts === undefined || count < 2) return predict(model, parameters, samples);
  const step = Math.min(mostParts, count);
  const parts = [];
  for (let first = 0; first < step; first++) {
    const length = Math.ceil((count - first) / step);
    const rows = Int32Array.from({ length }, (_, i) => first + i * step);
    const own = gatherSamples(samples, rows, encoder.layout);
    const { judgement = noJudgement(experts.count) } = await predictAndJudge(
      model,
      parameters,
      own,
    );
    parts.push({ rows, own, judgement });
  }
  const predictions = new Float64Array(count * outputs);
  for (const part of parts) {
    const others = parts.flatMap((each) => (each === part ? [] : [each.judgement]));
    const chosen = { ...parameters, ...experts.choose(parameters, judgedTogether(others)) };
    const answers = await predict(model, chosen, part.own);
    for (const [at, row] of part.rows.entries())
      predictions.set(answers.subarray(at * outputs, (at + 1) * outputs), row * outputs);
  }
  return predictions;
}
