import * as tf from '@tensorflow/tfjs';
import { describe, expect, it } from 'vitest';
import { createEngine } from '../../lib/engine/create-engine.ts';
import { defineSpec, type SpecInput } from '../../lib/spec/spec.ts';

function specWith(layer: tf.layers.Layer, engine?: 'onnx' | 'tfjs'): SpecInput {
  const model = tf.sequential({
    layers: [tf.layers.dense({ units: 4, inputShape: [3] }), layer, tf.layers.dense({ units: 1 })],
  });
  return {
    model: 'fallback',
    task: 'binary',
    features: { x: { type: 'vector', length: 3 } },
    network: { topology: model.toJSON(null, false) as never },
    ...(engine === undefined ? {} : { engine }),
  };
}

function compile(input: SpecInput) {
  const warnings: unknown[] = [];
  const engine = createEngine({
    threads: 1,
    warn: (message, fields) => void warnings.push([message, fields]),
  });
  return { compiled: engine.compile(defineSpec(input)), warnings };
}

describe('the engine of a spec', () => {
  it('is onnx where the network can be traced', async () => {
    const { compiled, warnings } = compile(specWith(tf.layers.activation({ activation: 'tanh' })));
    expect((await compiled).engine).toMatch(/^onnx-/);
    expect(warnings).toEqual([]);
  });

  it('is tfjs, with one warning that names the layer, where the network cannot be traced', async () => {
    const { compiled, warnings } = compile(specWith(tf.layers.gaussianNoise({ stddev: 1, name: 'shake' })));
    expect((await compiled).engine).toMatch(/^tfjs-/);
    expect(warnings).toEqual([
      [
        'the model trains on tfjs, many times slower than on onnx',
        { model: 'fallback', reason: 'the layer shake (GaussianNoise) draws at random' },
      ],
    ]);
  });

  it('is an error where onnx is asked for and the network cannot be traced', async () => {
    const { compiled } = compile(specWith(tf.layers.gaussianNoise({ stddev: 1, name: 'shake' }), 'onnx'));
    await expect(compiled).rejects.toThrow(
      'spec.engine: onnx cannot train this network: the layer shake (GaussianNoise) draws at random',
    );
  });

  it('is tfjs where tfjs is asked for', async () => {
    const { compiled, warnings } = compile(specWith(tf.layers.activation({ activation: 'tanh' }), 'tfjs'));
    expect((await compiled).engine).toMatch(/^tfjs-/);
    expect(warnings).toEqual([]);
  });
});
