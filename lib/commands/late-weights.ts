import { classNames, classWeightsOf } from '../features/class-weights.ts';
import type { RawSamples } from '../features/sample-table.ts';
import { limits } from '../limits.ts';
import type { Model } from '../model/model.ts';
import { predict } from '../model/predict.ts';
import { isRecord } from '../parse.ts';
import { parametersOf, type State } from '../state/state.ts';

/**
 * Samples in which labels weigh more that come after the default was learnt in their place: 1 / p
 * times as much, where p is the probability of the default that the state predicts. So the odds of
 * their classes are those of a stream in which no label came late, as far as labels of all classes
 * come late alike, and p is right (docs/decisions/25-default-labels.md). A weight is never more
 * than `limits.lateWeight` times as large.
 *
 * @param overruled the defaults, by the places of those samples
 */
export async function withLateWeights(
  model: Model,
  state: State,
  samples: RawSamples,
  overruled: ReadonlyMap<number, unknown>,
): Promise<RawSamples> {
  const places = [...overruled.keys()];
  if (places.length === 0 || model.spec.task === 'regression') return samples;
  const own = places.map((place) => samples.at(place));
  const { accepted, samples: encoded } = model.encoder.encodeFeatures(own);
  const predictions = await predict(model, parametersOf(state), encoded);
  const names = classNames(model.spec, state.statistics);
  const classWeights = classWeightsOf(model.spec, state.statistics);
  const outputs = model.compiled.outputs;
  const weighed = [...samples];
  accepted.forEach((at, row) => {
    const place = places[at] ?? -1;
    const sample = samples.at(place);
    const values = Array.from(predictions.subarray(row * outputs, (row + 1) * outputs));
    const [first = Number.NaN] = values;
    const ofClasses = model.spec.task === 'binary' ? [1 - first, first] : values;
    // What is predicted is of samples that weigh as their classes do.
    const shares = names.map((_, i) => (ofClasses[i] ?? 0) / (classWeights?.[i] ?? 1));
    // Where classes get places as they come, the rest is of those that have not.
    const rest = ofClasses.slice(names.length).reduce((sum, share) => sum + share, 0);
    const all = shares.reduce((sum, share) => sum + share, rest);
    const share = (shares[placeOf(model, names, overruled.get(place))] ?? Number.NaN) / all;
    const lateWeight = Math.min(1 / share, limits.lateWeight);
    if (isRecord(sample) && lateWeight > 1) weighed[place] = { ...sample, lateWeight };
  });
  return weighed;
}

/** The place of a label's class, however that is written; −1 if it has none. */
function placeOf({ encoder }: Model, names: readonly string[], label: unknown): number {
  const { samples } = encoder.encodeLabels([{ id: 'default', label }]);
  const [own = -1] = samples.labels;
  return samples.names === undefined ? own : names.indexOf(samples.names.get(own) ?? '');
}
