import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { createEngine } from '../../lib/engine/create-engine.ts';
import type { EngineState } from '../../lib/engine/engine.ts';
import { createEncoder } from '../../lib/features/encoder.ts';
import { defineSpec, type SpecInput } from '../../lib/spec/spec.ts';

type Weights = { readonly kernels: number[][]; readonly biases: number[][] };
type Golden = {
  readonly activation: string;
  readonly alpha: number;
  readonly learning_rate_init: number;
  readonly initial: Weights;
  readonly losses: number[];
  readonly final: Weights;
};

/** What `write.py` wrote with scikit-learn. */
const { x, y, goldens } = JSON.parse(
  readFileSync(new URL('./iris.json', import.meta.url), 'utf8'),
) as { x: number[]; y: number[]; goldens: Record<string, Golden> };

/** Its minibatches. */
const minibatch = 50;

/** What stands in a spec for each of its solvers. */
const optimizers: Record<string, SpecInput['optimizer']> = {
  adam: { type: 'adam', rate: 0.001, epsilon: 1e-8, epsilonHat: true },
  "sgd with Nesterov's momentum": { type: 'nesterov', rate: 0.05, momentum: 0.9 },
  'plain sgd': { type: 'sgd', rate: 0.5 },
};

const names = [0, 1].flatMap((i) => {
  const layer = ['hidden_1', 'output'][i];
  return [`weights/${layer}/kernel`, `weights/${layer}/bias`];
});
const inOrder = ({ kernels, biases }: Weights) => kernels.flatMap((w, i) => [w, biases[i] ?? []]);

/** A state with weights that are given. */
function stateFrom(state: EngineState, weights: Weights): EngineState {
  const own = inOrder(weights).map((data, i) => {
    const name = names[i] ?? '';
    const tensor = state.tensors[name];
    if (tensor === undefined) throw new Error(`there is no ${name}`);
    return [name, { ...tensor, data: Float32Array.from(data) }] as const;
  });
  return { ...state, tensors: { ...state.tensors, ...Object.fromEntries(own) } };
}

describe.each(Object.entries(goldens))(
  "scikit-learn's MLPClassifier on iris, %s",
  (name, golden) => {
    it('has its losses, each of a hundred epochs to six digits, and its weights', async () => {
      const { activation, alpha } = golden;
      const spec = defineSpec({
        model: 'iris',
        task: 'multiclass',
        features: { flower: { type: 'vector', length: 4, standardize: false } },
        label: { classes: ['setosa', 'versicolor', 'virginica'] },
        network: {
          hidden: [10],
          activation: activation === 'logistic' ? 'sigmoid' : (activation as 'relu' | 'tanh'),
          // (alpha / 2 · Σ w² there, divided by the samples of a minibatch.)
          ...(alpha > 0 ? { l2: alpha / 2 / minibatch } : {}),
        },
        optimizer: optimizers[name],
        online: { minibatch },
      });
      const model = await createEngine({ threads: 1, warn: () => {} }).compile(spec);
      const { samples } = createEncoder(spec).encode(
        y.map((label, i) => ({
          features: { flower: x.slice(4 * i, 4 * i + 4) },
          label: spec.label.classes?.[label],
        })),
      );
      let worst = 0;
      let state = stateFrom(model.initial(), golden.initial);
      for (const expected of golden.losses) {
        const trained = await model.train(state, samples, { minibatch, rate: spec.optimizer.rate });
        state = trained.state;
        const loss = trained.losses.reduce((sum, each) => sum + each, 0) / trained.losses.length;
        worst = Math.max(worst, Math.abs(loss - expected));
      }
      expect(worst).toBeLessThan(5e-7);
      inOrder(golden.final).forEach((expected, i) => {
        const found = state.tensors[names[i] ?? '']?.data ?? [];
        for (const [at, weight] of expected.entries()) expect(found[at]).toBeCloseTo(weight, 4);
      });
    });
  },
);
