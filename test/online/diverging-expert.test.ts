import { describe, expect, it } from 'vitest';
import { exportedOf } from '../../lib/export/exported.ts';
import { onnxFiles } from '../../lib/export/formats/onnx.ts';
import { currentModel } from '../../lib/fold/current-model.ts';
import { verifyModel } from '../../lib/operations/verify.ts';
import { predictSamples } from '../../lib/serving/predict-samples.ts';
import { defineSpec, type SpecInput } from '../../lib/spec/spec.ts';
import { askOnnx } from '../export/ask.ts';
import { promote, runJob, worldWithDataset } from '../support/jobs.ts';
import { refusals } from '../support/late-labels.ts';
import { createWorld, deliver, message, modelOf, ticket, ticketsSpec } from '../support/world.ts';

const teams = ['red', 'blue', 'green'];
const labels = {
  binary: (i: number) => (i * 7_919) % 10 < 3 + 2 * (i % 3),
  regression: (i: number) => 5 * (i % 3) + ((i * 7_919) % 10) / 10,
};
const cases = (['binary', 'regression'] as const).flatMap((task) =>
  (['sgd', 'momentum'] as const).flatMap((type) =>
    [100, 1_000].flatMap((rate) =>
      [false, true].map((hasStack) => ({ task, type, rate, hasStack })),
    ),
  ),
);

describe('an expert whose weights grow without bounds', () => {
  it.each(cases)(
    'spoils no answer and refuses nothing: $task, $type at $rate, stack $hasStack',
    async (each) => {
      const { task, type, rate, hasStack } = each;
      const own: SpecInput = {
        model: 'tickets',
        task,
        features: { team: { type: 'category', values: ['red', 'blue'], dimensions: 4 } },
        network: { hidden: [3] },
        optimizer: { type, rate: 0.1 },
        online: {
          minibatch: 1,
          experts: [
            { hidden: [3], rate: 0.01 },
            { predicts: 'prior' },
            { hidden: [], rate },
            ...(hasStack ? [{ predicts: 'stack' } as const] : []),
          ],
        },
      };
      const world = createWorld(defineSpec(own));
      for (let i = 1; i <= 120; i++) {
        const sample = { features: { team: teams[i % 3] }, label: labels[task](i) };
        await deliver(world, [message(i, { samples: [sample] })]);
      }
      expect(await refusals(world)).toEqual([]);
      const { model, state } = await currentModel(world, 'tickets');
      const features = teams.map((team) => ({ team }));
      const asked = features.map((one) => ({ features: one }));
      const { predictions } = await predictSamples(model, state, asked);
      const answers = predictions.map((one) => {
        if ('value' in one) return one.value;
        return 'probability' in one ? one.probability : Number.NaN;
      });
      expect(answers.every(Number.isFinite)).toBe(true);
      // (What a stack makes of an answer that is no number is the engine's own.)
      if (!hasStack) {
        const exported = await exportedOf(model, state);
        const outside = await askOnnx(exported, await onnxFiles(exported), features);
        for (const [i, answer] of answers.entries()) expect(outside[i]).toBeCloseTo(answer, 4);
      }
      expect((await verifyModel(world, await modelOf(world), true)).isSame).toBe(true);
    },
  );

  it('fails no job', async () => {
    const world = await worldWithDataset({
      ...ticketsSpec,
      optimizer: { type: 'momentum', rate: 0.1 },
      online: {
        experts: [{ hidden: [3], rate: 0.01 }, { hidden: [], rate: 1_000 }, { predicts: 'prior' }],
      },
    });
    const { place } = await runJob(world);
    expect(place).toMatchObject({ status: 'promotion-sent' });
    await promote(world);
    const { model, state } = await currentModel(world, 'tickets');
    const { predictions } = await predictSamples(model, state, [ticket(1), ticket(2)]);
    for (const one of predictions) expect(one).toEqual({ probability: expect.any(Number) });
  });
});
