import * as tf from '@tensorflow/tfjs';
import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import {
  addScores,
  areaUnderCurve,
  emptyScores,
  lossesOf,
  meanLoss,
  score,
  scoreBins,
} from '../../lib/metrics/scores.ts';
import { sharesOf } from '../../lib/network/losses.ts';
import { predictionOf, weightedLoss } from '../../lib/network/outputs.ts';
import { defineSpec, type Spec, type SpecInput } from '../../lib/spec/spec.ts';

const features: SpecInput['features'] = { x: { type: 'number' } };
const binary = defineSpec({ model: 'm', task: 'binary', features });
const multiclass = defineSpec({
  model: 'm',
  task: 'multiclass',
  features,
  label: { classes: ['a', 'b', 'c'] },
});
const regression = defineSpec({ model: 'm', task: 'regression', features });
const quantile = defineSpec({
  model: 'm',
  task: 'regression',
  features,
  loss: { quantile: 0.75 },
});
const huber = defineSpec({ model: 'm', task: 'regression', features, loss: 'huber' });

beforeAll(async () => {
  await tf.setBackend('cpu');
});

/** Golden values from the definitions, by hand, in float64. */
const golden: [string, Spec, number[][], number[], number[], number][] = [
  // log(1 + e^−2) · 1 + log(1 + e^1) · 3, over 4
  [
    'cross-entropy of two classes',
    binary,
    [[2], [1]],
    [1, 0],
    [1, 3],
    (Math.log1p(Math.exp(-2)) + 3 * Math.log1p(Math.E)) / 4,
  ],
  ['cross-entropy of a certain error', binary, [[-200]], [1], [1], 200],
  ['cross-entropy of three classes', multiclass, [[0, 0, 0]], [2], [5], Math.log(3)],
  ['half mean squared error', regression, [[1], [4]], [0, 1], [1, 1], (0.5 + 4.5) / 2],
  ['of a quantile', quantile, [[1], [4]], [3, 2], [1, 1], (0.75 * 2 + 0.25 * 2) / 2],
  ['Huber', huber, [[0.5], [4]], [0, 1], [1, 1], (0.125 + 2.5) / 2],
];

describe('a loss', () => {
  it.each(golden)(
    'is the weighted mean over samples: %s',
    (...[, spec, output, labels, weights, expected]) => {
      const loss = weightedLoss(
        spec,
        tf.tensor2d(output),
        tf.tensor1d(labels),
        tf.tensor1d(sharesOf(Float32Array.from(weights))),
      );
      expect(loss.dataSync()[0]).toBeCloseTo(expected, 5);
    },
  );

  it.each(golden.filter(([name]) => !name.includes('certain')))(
    'is the same from predictions: %s',
    (...[, spec, output, labels, weights, expected]) => {
      const predictions = predictionOf(spec, tf.tensor2d(output)).dataSync() as Float32Array;
      const scores = score(spec, predictions, {
        labels: Float32Array.from(labels),
        weights: Float32Array.from(weights),
      });
      expect(meanLoss(scores)).toBeCloseTo(expected, 5);
    },
  );

  it('of a minibatch of weight 0 is 0', () => {
    const loss = weightedLoss(
      binary,
      tf.tensor2d([[3]]),
      tf.tensor1d([0]),
      tf.tensor1d(sharesOf(Float32Array.of(0))),
    );
    expect(loss.dataSync()[0]).toBe(0);
  });

  it.each([0, 1])('stays finite for a prediction of %d', (prediction) => {
    const losses = lossesOf(binary, Float32Array.of(prediction, prediction), Float32Array.of(0, 1));
    expect(losses.every(Number.isFinite)).toBe(true);
  });
});

/**
 * The definition: over all pairs, positive above negative counts 1, ties count ½. `close`: the share
 * of the pairs that are nearer than a bin is wide, and may be ties in a histogram.
 */
function areaByPairs(predictions: Float32Array, labels: Float32Array) {
  const width = 24 / scoreBins;
  const logOdds = (p: number) => Math.log(p / (1 - p));
  let [sum, close, pairs] = [0, 0, 0];
  predictions.forEach((p, i) => {
    predictions.forEach((n, j) => {
      if (labels[i] !== 1 || labels[j] !== 0) return;
      pairs += 1;
      sum += p > n ? 1 : p === n ? 0.5 : 0;
      if (p !== n && Math.abs(logOdds(p) - logOdds(n)) <= width) close += 1;
    });
  });
  return { area: sum / pairs, close: close / pairs };
}

describe('scores', () => {
  const sample = fc.tuple(
    fc.double({ min: 0.001, max: 0.999, noNaN: true }),
    fc.constantFrom(0, 1),
  );
  const stream = fc.array(sample, { minLength: 20, maxLength: 200 });
  const scoreOf = (samples: [number, number][]) =>
    score(
      binary,
      Float32Array.from(samples, ([p]) => p),
      {
        labels: Float32Array.from(samples, ([, label]) => label),
        weights: new Float32Array(samples.length).fill(1),
      },
    );

  it('give the area under the curve to within the width of a bin', () => {
    fc.assert(
      fc.property(stream, (samples) => {
        const exact = areaByPairs(
          Float32Array.from(samples, ([p]) => p),
          Float32Array.from(samples, ([, label]) => label),
        );
        fc.pre(Number.isFinite(exact.area));
        const difference = Math.abs(areaUnderCurve(scoreOf(samples)) - exact.area);
        expect(difference).toBeLessThanOrEqual(exact.close / 2 + 1e-9);
      }),
    );
  });

  it('add up: a stream scores the same in one piece or in two', () => {
    fc.assert(
      fc.property(stream, fc.nat(20), (samples, cut) => {
        const whole = scoreOf(samples);
        const parts = addScores(scoreOf(samples.slice(0, cut)), scoreOf(samples.slice(cut)));
        expect(parts.loss).toBeCloseTo(whole.loss, 9);
        expect({ ...parts, loss: 0 }).toEqual({ ...whole, loss: 0 });
        expect(addScores(emptyScores(binary), whole)).toEqual(whole);
      }),
    );
  });

  it('count right classes', () => {
    const predictions = Float32Array.of(0.7, 0.2, 0.1, 0.1, 0.2, 0.7);
    const scores = score(multiclass, predictions, {
      labels: Float32Array.of(0, 1),
      weights: Float32Array.of(2, 1),
    });
    expect(scores).toMatchObject({ samples: 2, weight: 3, correct: 2 });
  });
});
