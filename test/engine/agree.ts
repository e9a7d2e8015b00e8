import { expect } from 'vitest';
import type { Engine, EngineState } from '../../lib/engine/engine.ts';
import { onnxEngine } from '../../lib/engine/onnx/onnx.ts';
import { tfjsEngine } from '../../lib/engine/tfjs.ts';
import { wasmEngine } from '../../lib/engine/wasm/wasm.ts';
import { weighed } from '../../lib/features/class-weights.ts';
import type { Spec } from '../../lib/spec/spec.ts';
import { samplesOf } from './samples.ts';

/** Each tensor's largest difference, relative to its largest element. */
function differences(a: EngineState, b: EngineState): Record<string, number> {
  return Object.fromEntries(
    Object.entries(a.tensors).map(([name, { data }]) => {
      const other = b.tensors[name]?.data ?? new Float32Array();
      const largest = data.reduce((max, value) => Math.max(max, Math.abs(value)), 1e-6);
      const difference = data.reduce(
        (max, value, i) => Math.max(max, Math.abs(value - (other[i] ?? Number.NaN))),
        0,
      );
      return [name, difference / largest];
    }),
  );
}

/** The engines that are compared with tfjs. */
export const compiledEngines = {
  wasm: wasmEngine(),
  onnx: onnxEngine({ threads: 1 }),
  'onnx, updated apart': onnxEngine({ threads: 1, apartFrom: 1 }),
} satisfies Record<string, Engine>;

/** How a pair of runs is compared: relative to the largest element of each tensor. */
export type Comparison = {
  readonly rows: number;
  readonly minibatch: number;
  readonly tolerance: number;
};

/**
 * Trains a spec on an engine and on tfjs from the same seed and compares losses, weights, slots and
 * predictions.
 */
export async function expectAgreement(
  engine: Engine,
  spec: Spec,
  { rows, minibatch, tolerance }: Comparison,
): Promise<void> {
  const samples = weighed(samplesOf(spec, rows), spec, {});
  const run = {
    minibatch,
    rate: spec.optimizer.rate,
    schedule: spec.batch.schedule,
    order: Int32Array.from({ length: rows }, (_, i) => (i * 17) % rows),
  };
  const [model, reference] = [await engine.compile(spec), await tfjsEngine.compile(spec)];
  expect(model.initial()).toEqual(reference.initial());
  const trained = await model.train(model.initial(), samples, run);
  const expected = await reference.train(reference.initial(), samples, run);
  expect(trained.losses).toHaveLength(Math.ceil(rows / minibatch));
  trained.losses.forEach((loss, step) => {
    const difference = Math.abs(loss - (expected.losses[step] ?? Number.NaN));
    expect(difference / Math.max(1e-3, Math.abs(loss)), `loss of step ${step}`).toBeLessThan(
      tolerance,
    );
  });
  for (const [name, difference] of Object.entries(differences(expected.state, trained.state))) {
    expect(difference, name).toBeLessThan(tolerance);
  }
  const predictions = await model.predict(expected.state, samples);
  const expectedPredictions = await reference.predict(expected.state, samples);
  predictions.forEach((prediction, i) => {
    expect(Math.abs(prediction - (expectedPredictions[i] ?? Number.NaN))).toBeLessThan(tolerance);
  });
}
