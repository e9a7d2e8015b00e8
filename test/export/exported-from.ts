import { expect } from 'vitest';
import { createEngine } from '../../lib/engine/create-engine.ts';
import { tfjsEngine } from '../../lib/engine/tfjs.ts';
import { type Exported, exportedOf } from '../../lib/export/exported.ts';
import type { EncodedSamples, Floats } from '../../lib/features/samples.ts';
import { statisticsOf } from '../../lib/features/statistics.ts';
import { learnWithoutTest } from '../../lib/model/learn.ts';
import { compileModel, initialState } from '../../lib/model/model.ts';
import { predict } from '../../lib/model/predict.ts';
import { defineSpec, type Spec, type SpecInput } from '../../lib/spec/spec.ts';
import { draw } from '../engine/samples.ts';
import type { Question } from './ask.ts';
import { tasks } from './tasks.ts';

/** A model with weights from its seed, and statistics of the questions. */
export async function exportedFrom(
  input: SpecInput,
  questions: readonly Question[],
): Promise<Exported> {
  const spec = defineSpec(input);
  const { experts } = spec.online;
  const engine = experts === undefined ? tfjsEngine : createEngine({ threads: 1, warn: () => {} });
  const model = { name: spec.model, ...(await compileModel(engine, spec)) };
  const samples = encoded(model, questions);
  if (experts !== undefined) return exportedOf(model, await learnt(model, samples));
  const labels = samples.labels.map((_, i) => 1_000 + 50 * draw(i));
  const statistics = statisticsOf({ ...samples, labels }, model.encoder.layout);
  return await exportedOf(model, { ...initialState(model), statistics });
}

/** A state that has learnt samples, whose labels are drawn: then each expert counts differently. */
export async function learnt(
  model: Exported['model'],
  samples: EncodedSamples,
): Promise<Exported['state']> {
  const labels = samples.labels.map((_, i) => labelOf(model.spec, i));
  const weights = samples.weights.map(() => 1);
  const state = initialState(model);
  return { ...state, ...(await learnWithoutTest(model, state, { ...samples, labels, weights })) };
}

/** A label that is drawn: a value, or the place of a class. */
export function labelOf({ task, label }: Spec, row: number): number {
  if (task === 'regression') return 1_000 + 50 * draw(row);
  return Math.floor(((draw(row) + 1) / 2) * (label.classes?.length ?? 2));
}

export function encoded(
  { encoder }: Pick<Exported['model'], 'encoder'>,
  questions: readonly Question[],
): EncodedSamples {
  const { samples, refused } = encoder.encodeFeatures(questions.map((features) => ({ features })));
  expect(refused).toEqual([]);
  return samples;
}

/** What the model itself answers. */
export const answers = ({ model, state }: Exported, questions: readonly Question[]) =>
  predict(model, state, encoded(model, questions));

/** Expects each number to be the other, up to rounding to float32 on the way. */
export function expectClose(found: Floats, wanted: Floats, tolerance = 1e-5): void {
  expect(found.length).toBe(wanted.length);
  found.forEach((value, i) => {
    const other = wanted[i] ?? Number.NaN;
    expect(Math.abs(value - other)).toBeLessThanOrEqual(tolerance * Math.max(1, Math.abs(other)));
  });
}

/** Questions with a value for each of the features of {@link tasks}. */
export const rows: readonly Question[] = Array.from({ length: 40 }, (_, i) => ({
  seconds: 1_700_000_000 + i * 128,
  share: draw(i, 1),
  constant: 3,
  team: ['red', 'green', 'blue', 'Red'][i % 4],
  word: `wörd-${i % 17} 🙂`,
  rare: `rare-${i % 3 === 2 ? i : i % 7}`,
  pixels: Array.from({ length: 5 }, (_element, k) => 200 + 50 * draw(i, k)),
}));
