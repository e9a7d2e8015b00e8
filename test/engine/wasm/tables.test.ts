import { describe, expect, it } from 'vitest';
import type { EngineState, Tensors } from '../../../lib/engine/engine.ts';
import { wasmEngine } from '../../../lib/engine/wasm/wasm.ts';
import type { EncodedSamples } from '../../../lib/features/samples.ts';
import { optimizerTypes } from '../../../lib/spec/optimizer-schema.ts';
import { defineSpec, type OptimizerSpec, type Spec } from '../../../lib/spec/spec.ts';
import { draw, samplesOf } from '../samples.ts';

const rows = 20_000;

function specOf(type: OptimizerSpec['type'], buckets = rows) {
  return defineSpec({
    model: 'tables',
    task: 'binary',
    features: {
      amount: { type: 'number' },
      shop: { type: 'category', buckets, dimensions: 4 },
      city: { type: 'category', buckets, dimensions: 5 },
    },
    network: { hidden: [3], activation: 'tanh' },
    optimizer: { type, rate: 0.01 },
  });
}

/** Samples that name rows here and there. */
function drawn(spec: Spec, count: number, seed: number): EncodedSamples {
  const samples = samplesOf(spec, count);
  const categories = samples.categories.map((_, i) => Math.floor((draw(seed, i) + 1) * (rows / 2)));
  const weights = samples.weights.map((_, i) => (i % 5 === 4 ? 0 : 1));
  return { ...samples, categories, weights };
}

const copyOf = (tensors: Tensors) =>
  Object.fromEntries(Object.entries(tensors).map(([name, { data }]) => [name, data.slice()]));

describe('large tables', () => {
  it('keep every version of a state, in whichever order they are read and gone on from', async () => {
    const spec = specOf('adam');
    const model = await wasmEngine().compile(spec);
    const messages = Array.from({ length: 6 }, (_, i) => drawn(spec, 30 + i, i));
    const run = { minibatch: 4, rate: 0.01 };
    // As they are when each state is read at once, by an engine of its own.
    const expected: Record<string, Float32Array>[] = [];
    const other = await wasmEngine().compile(spec);
    let state: EngineState = other.initial();
    for (const message of messages) {
      ({ state } = await other.train(state, message, run));
      expected.push(copyOf(state.tensors));
    }
    const states: EngineState[] = [];
    let next = model.initial();
    for (const message of messages) {
      next = (await model.train(next, message, run)).state;
      states.push(next);
    }
    // Back to an older one, which then has another future.
    const [second, fourth] = [states[1], states[3]];
    if (second === undefined || fourth === undefined) throw new Error('there are six states');
    const branch = await model.train(second, drawn(spec, 20, 99), run);
    const again = await model.train(fourth, messages[4] ?? drawn(spec, 1, 1), run);
    expect(copyOf(again.state.tensors)).toEqual(expected[4]);
    for (const i of [5, 0, 3, 1, 4, 2])
      expect(copyOf(states[i]?.tensors ?? {}), `state ${i}`).toEqual(expected[i]);
    expect(copyOf(branch.state.tensors)).not.toEqual(expected[2]);
    expect(copyOf(model.initial().tensors)).toEqual(copyOf(other.initial().tensors));
  });

  it.each(optimizerTypes)('have rows that %s changes only where a sample counts', async (type) => {
    const spec = specOf(type);
    const model = await wasmEngine().compile(spec);
    const before = await model.train(model.initial(), drawn(spec, 200, 1), {
      minibatch: 7,
      rate: 0.05,
    });
    const message = drawn(spec, 50, 2);
    const after = await model.train(before.state, message, { minibatch: 7, rate: 0.01 });
    const counting = (column: number) =>
      new Set(
        [...message.categories].filter(
          (_, i) => i % 2 === column && (message.weights[Math.floor(i / 2)] ?? 0) > 0,
        ),
      );
    for (const [name, column, width] of [
      ['shop', 0, 4],
      ['city', 1, 5],
    ] as const) {
      const weights = `weights/embedding_${name}/embeddings`;
      const [old, now] = [before, after].map(({ state }) => state.tensors[weights]?.data);
      const changed = new Set<number>();
      now?.forEach((value, i) => {
        if (value !== old?.[i]) changed.add(Math.floor(i / width));
      });
      expect([...changed].sort()).toEqual([...counting(column)].sort());
    }
  });

  it('diverge as others do: what is not finite is seen in the rows that changed', async () => {
    const { isFiniteState } = await import('../../../lib/engine/finite.ts');
    const network = { hidden: [3], activation: 'linear' as const };
    const spec = defineSpec({ ...specOf('sgd'), network });
    const model = await wasmEngine().compile(spec);
    const fine = await model.train(model.initial(), drawn(spec, 20, 1), {
      minibatch: 4,
      rate: 0.05,
    });
    expect(isFiniteState(fine.state.tensors)).toBe(true);
    // Numbers that are finite, and whose products with their opposites are no numbers any more.
    const tensors = Object.fromEntries(
      Object.entries(fine.state.tensors).map(([name, { shape, data }]) => [
        name,
        { shape, data: name.includes('/kernel') ? data.map((_, i) => (-1) ** i * 3e38) : data },
      ]),
    );
    const samples = drawn(spec, 20, 2);
    const numbers = samples.numbers.map(() => 3);
    const steps = { minibatch: 4, rate: 0.01 };
    const wrong = await model.train({ ...fine.state, tensors }, { ...samples, numbers }, steps);
    expect(isFiniteState(wrong.state.tensors)).toBe(false);
    // (A copy is not one of those that it knows: all of it is looked at.)
    expect(isFiniteState({ ...wrong.state.tensors })).toBe(false);
    expect(isFiniteState(fine.state.tensors)).toBe(true);
  });
});
