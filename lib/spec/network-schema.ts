import * as z from 'zod';
import { strictObject } from '../parse.ts';
import { fourierSchema, piecewiseLinearSchema, quadraticSchema } from './derived-numbers.ts';
import { activationName, hiddenUnits } from './experts-schema.ts';
import { topologySchema } from './topology-schema.ts';

const penalty = z.number().positive().max(1_000).optional();

const fields = {
  hidden: hiddenUnits.default([]).describe('units of each hidden layer; none is a linear model'),
  activation: activationName.default('relu').describe('of the hidden layers'),
  randomBiases: z
    .boolean()
    .optional()
    .describe(
      'whether the first biases of the hidden layers are drawn, as in scikit-learn, and not 0',
    ),
  layerNormalization: z
    .boolean()
    .optional()
    .describe('of what each hidden layer adds up, before its activation'),
  dropout: z
    .number()
    .positive()
    .max(0.95)
    .optional()
    .describe('share of the units of each hidden layer that a step leaves out'),
  l1: penalty.describe('l1 · Σ |w| is added to the loss, over the kernels of the layers'),
  l2: penalty.describe('l2 · Σ w² is added to the loss, over the kernels of the layers'),
  fourier: fourierSchema
    .optional()
    .describe('random Fourier features of numbers, beside what the first layer takes'),
  piecewiseLinear: piecewiseLinearSchema
    .optional()
    .describe('how far numbers are through each part of their line, beside what it takes'),
  quadratic: quadraticSchema
    .optional()
    .describe('the squares of numbers and the products of pairs, beside what it takes'),
  wide: z
    .boolean()
    .optional()
    .describe(
      'a linear model beside the hidden layers, over the numbers and over each value of each ' +
        'category and cross: what it predicts is added (wide and deep)',
    ),
};

/** The network of a spec: hidden layers over embedded categories, or a topology of its own. */
export const networkSchema = z.union([
  strictObject(fields, Object.keys(fields), {
    topology:
      'topology must be what model.toJSON() answers, or the content of a model.json, and no other ' +
      'field stands beside it',
  }),
  strictObject({
    topology: topologySchema.describe(
      'any tfjs Layers model: what model.toJSON() answers (a text), or the content of a ' +
        'model.json or of a Keras file',
    ),
  }),
]);
