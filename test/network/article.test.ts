import { describe, expect, it } from 'vitest';
import { tfjsEngine } from '../../lib/engine/tfjs.ts';
import { articleSamples, articleSpec } from '../../lib/examples/article/spec.ts';
import { createEncoder } from '../../lib/features/encoder.ts';

/**
 * The same training by the formulas alone, in float64: J = 1/(2N) Σ (y − ŷ)², backpropagation, all
 * rows at once.
 */
function lossCurve(
  x: number[][],
  y: number[],
  [w1, b1, w2, b2]: number[][],
  { epochs, rate }: { readonly epochs: number; readonly rate: number },
): number[] {
  if (!w1 || !b1 || !w2 || !b2) throw new Error('four weights are needed');
  const n = x.length;
  const units = b1.length;
  const losses: number[] = [];
  for (let epoch = 0; epoch < epochs; epoch++) {
    const g1 = w1.map(() => 0);
    const h1 = b1.map(() => 0);
    const g2 = w2.map(() => 0);
    let h2 = 0;
    let loss = 0;
    x.forEach((row, r) => {
      const a = b1.map((bias, u) =>
        Math.tanh(row.reduce((sum, value, i) => sum + value * (w1[i * units + u] ?? 0), bias)),
      );
      const error =
        a.reduce((sum, value, u) => sum + value * (w2[u] ?? 0), b2[0] ?? 0) - (y[r] ?? 0);
      loss += error ** 2 / (2 * n);
      h2 += error / n;
      a.forEach((value, u) => {
        g2[u] = (g2[u] ?? 0) + (error / n) * value;
        const delta = (error / n) * (w2[u] ?? 0) * (1 - value ** 2);
        h1[u] = (h1[u] ?? 0) + delta;
        row.forEach((input, i) => {
          g1[i * units + u] = (g1[i * units + u] ?? 0) + delta * input;
        });
      });
    });
    losses.push(loss);
    for (const [weights, gradient] of [
      [w1, g1],
      [b1, h1],
      [w2, g2],
      [b2, [h2]],
    ] as const) {
      gradient.forEach((g, i) => {
        weights[i] = (weights[i] ?? 0) - rate * g;
      });
    }
  }
  return losses;
}

describe('the example of the source article', () => {
  it('has the loss curve of an independent computation, every 100 of 1,000 epochs', async () => {
    const { epochs, minibatch } = articleSpec.batch;
    const { rate } = articleSpec.optimizer;
    const raw = articleSamples();
    const { samples } = createEncoder(articleSpec).encode(raw);
    const model = await tfjsEngine.compile(articleSpec);
    const names = ['hidden_1/kernel', 'hidden_1/bias', 'output/kernel', 'output/bias'];
    const weights = names.map((name) => [
      ...(model.initial().tensors[`weights/${name}`]?.data ?? []),
    ]);

    const expected = lossCurve(
      raw.map(({ features }) => features.x as number[]),
      raw.map(({ label }) => label as number),
      weights,
      { epochs, rate },
    );
    let state = model.initial();
    const losses: number[] = [];
    for (let epoch = 0; epoch < epochs; epoch++) {
      const trained = await model.train(state, samples, { minibatch, rate });
      state = trained.state;
      losses.push(...trained.losses);
    }

    expect(losses).toHaveLength(1_000);
    for (let epoch = 0; epoch < epochs; epoch += 100) {
      expect(
        Math.abs((losses[epoch] ?? 0) - (expected[epoch] ?? 0)),
        `epoch ${epoch}`,
      ).toBeLessThan(1e-4);
    }
    expect(losses[999]).toBeLessThan(0.5 * (losses[0] ?? 0));
  });
});
