import { describe, expect, it } from 'vitest';
import { createEngine } from '../../lib/engine/create-engine.ts';
import { classWeightsOf } from '../../lib/features/class-weights.ts';
import type { EncodedSamples } from '../../lib/features/samples.ts';
import { compileModel, type Model } from '../../lib/model/model.ts';
import { predict } from '../../lib/model/predict.ts';
import { defineSpec, type SpecInput } from '../../lib/spec/spec.ts';
import type { Parameters } from '../../lib/state/state.ts';
import { learnMessages } from '../bench/progressive.ts';
import { draw } from '../support/one-expert.ts';

const engine = createEngine({ threads: 1, warn: () => undefined });

/** Rows of which about one in eighty is the first class, and lies further up. */
const rows = Array.from({ length: 3_000 }, (_, i) => {
  const isRare = draw(i, 0) < 1 / 80;
  const place = isRare ? 0 : draw(i, 1) < 0.5 ? 1 : 2;
  const normal = (column: number) =>
    [2, 3, 4, 5].reduce((sum, k) => sum + draw(i, column, k) - 0.5, 0) * Math.sqrt(3);
  return { features: { a: normal(0) + 1.5 * Number(isRare), b: normal(1) + place }, place };
});
const declared = {
  model: 'm',
  features: { a: { type: 'number' }, b: { type: 'number' } },
  online: { experts: 'default' },
} satisfies Partial<SpecInput>;
const binary = { ...declared, task: 'binary' } as const;
const multiclass = { ...declared, task: 'multiclass' } as const;
const classes = ['rare', 'one', 'other'];

async function modelOf(input: SpecInput) {
  const model: Model = { name: 'm', ...(await compileModel(engine, defineSpec(input))) };
  const { samples } = model.encoder.encode(
    rows.map(({ features, place }) => ({
      features,
      label: input.task === 'binary' ? place === 0 : classes[place],
    })),
  );
  return { model, samples };
}

/** What a model has learnt of all rows, and what its classes, weighed, lost before. */
async function learntOf(input: SpecInput, weights: readonly number[]) {
  const { model, samples } = await modelOf(input);
  let parameters: Parameters = model.initial;
  let [loss, weight] = [0, 0];
  for await (const { message, learned } of learnMessages(model, samples, 50)) {
    ({ parameters } = learned);
    const outputs = learned.predictions.length / message.count;
    message.labels.forEach((label, row) => {
      const own = learned.predictions[row * outputs + (outputs > 1 ? label : 0)] ?? 0;
      const share = outputs > 1 || label === 1 ? own : 1 - own;
      loss -= (weights[label] ?? 0) * Math.log(Math.max(share, 1e-9));
      weight += weights[label] ?? 0;
    });
  }
  return { model, samples, parameters, loss: loss / weight };
}

describe('classes that weigh in the answers of experts', () => {
  it.each<[SpecInput, Readonly<Record<string, number>>, readonly number[]]>([
    [binary, { true: 60, false: 2 }, [2, 60]],
    [{ ...multiclass, label: { classes } }, { rare: 60, other: 0.5 }, [60, 1, 0.5]],
  ])('are learnt as they come: %#', async (input, classWeights, weights) => {
    const { label } = input;
    const [plain, weighed] = await Promise.all([
      learntOf({ ...input, label }, weights),
      learntOf({ ...input, label: { ...label, classWeights } }, weights),
    ]);
    expect(weighed.parameters.tensors).toEqual(plain.parameters.tensors);
    const [own, others] = await Promise.all(
      [weighed, plain].map(({ model, samples, parameters }) => predict(model, parameters, samples)),
    );
    expectOdds({ own, others, samples: plain.samples, weights });
  });

  it.each([binary, { ...multiclass, label: { classes } }])(
    'are told better than by the labels alone, however rare they are: %#',
    async (input) => {
      const counts = [0, 1, 2].map((place) => rows.filter((row) => row.place === place).length);
      const [rare = 0] = counts;
      const of = input.task === 'binary' ? [rows.length - rare, rare] : counts;
      const weights = [
        ...(classWeightsOf(
          { ...input, label: { classes, classWeights: 'balanced' } },
          { classes: Float64Array.from(of) },
        ) ?? []),
      ];
      const label = { ...('label' in input && { classes }), classWeights: 'balanced' as const };
      const { loss } = await learntOf({ ...input, label }, weights);
      const alone = Math.log(of.length);
      expect(loss).toBeLessThan(0.9 * alone);
    },
  );
});

/** Expects odds that are as many times others as their classes weigh. */
function expectOdds({
  own = new Float32Array(0),
  others = own,
  samples,
  weights,
}: {
  readonly own: ArrayLike<number> | undefined;
  readonly others: ArrayLike<number> | undefined;
  readonly samples: EncodedSamples;
  readonly weights: readonly number[];
}): void {
  const outputs = own.length / samples.count;
  const sharesOf = (all: ArrayLike<number>, row: number) =>
    outputs === 1
      ? [1 - (all[row] ?? 0), all[row] ?? 0]
      : Array.from({ length: outputs }, (_, at) => all[row * outputs + at] ?? 0);
  for (let row = 0; row < samples.count; row++) {
    const wanted = sharesOf(others, row).map((share, at) => share * (weights[at] ?? 1));
    const sum = wanted.reduce((total, each) => total + each, 0);
    sharesOf(own, row).forEach((share, at) => {
      expect(Math.abs(share - (wanted[at] ?? 0) / sum)).toBeLessThan(1e-5);
    });
  }
}
