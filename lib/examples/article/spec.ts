import type { Sample } from '../../features/encoder.ts';
import { hashIntegers } from '../../features/hash.ts';
import { defineSpec } from '../../spec/spec.ts';

/** Inputs of the article's network, and rows of its data. */
const inputs = 10;
const rows = 100;

/**
 * The network of the article that Millrace grew out of, with its sizes: 10 inputs, one tanh layer
 * of 10, half mean squared error, plain gradient descent over all 100 rows at once, at a rate of
 * 0.01, for 1,000 epochs.
 */
export const articleSpec = defineSpec({
  model: 'article',
  task: 'regression',
  features: { x: { type: 'vector', length: inputs, standardize: false } },
  label: { name: 'y' },
  network: { hidden: [10], activation: 'tanh' },
  loss: 'halfMeanSquaredError',
  optimizer: { type: 'sgd', rate: 0.01 },
  batch: { epochs: 1_000, minibatch: rows, validation: 0, slice: { epochs: 300 } },
});

/** 100 rows of inputs in −1 … 1, and a label that depends on three of them, one nonlinearly. */
export function articleSamples(): Sample[] {
  return Array.from({ length: rows }, (_, row) => {
    const x = Array.from(
      { length: inputs },
      (_input, column) => hashIntegers(row, column) / 2 ** 31 - 1,
    );
    const [a = 0, b = 0, c = 0] = x;
    return { features: { x }, label: Math.sin(2 * a) + 0.5 * b - 0.25 * c };
  });
}
