import * as tf from '@tensorflow/tfjs';
import { beforeAll, describe, expect, it } from 'vitest';
import { derivedInputsOf, writeLinearInputs } from '../../lib/engine/experts/linear-inputs.ts';
import { compileModel } from '../../lib/model/model.ts';
import { quadratic } from '../../lib/network/quadratic.ts';
import { pairCount, type Quadratic } from '../../lib/spec/derived-numbers.ts';
import { defineSpec, type SpecInput } from '../../lib/spec/spec.ts';
import { createWorld } from '../support/world.ts';
import { accuracyOf } from './accuracy.ts';

beforeAll(() => tf.setBackend('cpu'));

const numbers = { a: { type: 'number' }, b: { type: 'number' }, c: { type: 'number' } } as const;

/** The products of a row of three numbers. */
function productsOf(row: readonly number[], own: Quadratic = {}): number[] {
  const spec = defineSpec({ model: 'm', task: 'binary', features: numbers });
  return tf.tidy(() => {
    const input = tf.input({ shape: [3] });
    const model = tf.model({ inputs: input, outputs: quadratic(spec, own, input) });
    return [...(model.predict(tf.tensor2d([[...row]])) as tf.Tensor).dataSync()];
  });
}

describe('products of numbers', () => {
  it('are the square of each number and the product of each pair', () => {
    expect(productsOf([2, 3, 5])).toEqual([4, 6, 10, 9, 15, 25]);
    expect(productsOf([2, 3, 5], { of: ['c', 'a'] })).toEqual([4, 10, 25]);
    for (const length of [1, 2, 7, 16])
      expect(pairCount(length)).toBe(
        Array.from({ length }, (_, i) => length - i).reduce((a, b) => a + b, 0),
      );
  });

  it('are the same to an expert of second order as to its network', async () => {
    const experts = [
      { predicts: 'prior' as const },
      { hidden: [], secondOrder: true, quadratic: {} },
    ];
    const spec = defineSpec({ model: 'm', task: 'binary', features: numbers, online: { experts } });
    const { initial } = await compileModel(createWorld(spec).engine, spec);
    const own = Object.entries(initial.tensors).flatMap(([name, tensor]) =>
      name.includes('/expert_2/') ? [[name.replace('/expert_2/', '/'), tensor] as const] : [],
    );
    const derived = derivedInputsOf(Object.fromEntries(own));
    const row = Float32Array.from([2, 3, 5]);
    const into = new Float64Array(1 + 3 + 6);
    writeLinearInputs(derived, row, Int32Array.from(row.keys()), into);
    expect([...into]).toEqual([1, ...row, ...productsOf([...row])]);
  });

  it('let a linear expert know what lies around a middle, and what two numbers say together', async () => {
    const learners = (own: object): Partial<SpecInput> => ({
      online: { experts: [{ predicts: 'prior' }, { hidden: [], secondOrder: true, ...own }] },
    });
    for (const isIn of [
      (x: number, y: number) => x ** 2 + y ** 2 < 1.4,
      (x: number, y: number) => x * y > 0,
    ]) {
      expect(await accuracyOf(learners({ quadratic: {} }), isIn)).toBeGreaterThan(0.9);
      expect(await accuracyOf(learners({}), isIn)).toBeLessThan(0.8);
    }
  });
});
