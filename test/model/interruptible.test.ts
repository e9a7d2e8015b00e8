import { describe, expect, it } from 'vitest';
import { interruptible } from '../../lib/model/interruptible.ts';
import type { Model } from '../../lib/model/model.ts';
import { createWorld, modelOf } from '../support/world.ts';

describe('a model that can be broken off', () => {
  it('is told of its own time, not of that of others beside it', async () => {
    const model = await modelOf(createWorld());
    let seconds = 0;
    const slow: Model = {
      ...model,
      compiled: {
        ...model.compiled,
        async train(state) {
          seconds += 10;
          await new Promise((resolve) => setImmediate(resolve));
          seconds += 20;
          return { state, losses: new Float32Array() };
        },
      },
    };
    const owner = {};
    const told: unknown[] = [];
    const check = (...seen: readonly number[]) => void told.push(seen);
    const pace = { owner, seconds: () => seconds, check };
    const two = [interruptible(slow, pace), interruptible(slow, pace)];
    const { samples } = model.encoder.encode([]);
    const train = (each: Model) =>
      each.compiled.train(model.initial as never, samples, { minibatch: 1, rate: 1 } as never);
    await Promise.all(two.map(train));
    await Promise.all(two.map(train));
    expect(told).toEqual([
      [0, 0],
      [0, 0],
      [30, 30],
      [30, 30],
    ]);
  });

  it('is broken off between samples and between blocks, and works on for the next', async () => {
    const model = await modelOf(createWorld());
    let isOver = true;
    const check = () => {
      if (isOver) throw new Error('over');
    };
    const own = interruptible(model, { owner: {}, seconds: () => 0, check });
    const sample = { features: { urgency: 1, team: 'red' }, label: true };
    expect(() => own.encoder.encode([sample])).toThrow('over');
    const { samples } = model.encoder.encode([sample]);
    await expect(own.compiled.predict({ ...model.initial, step: 0 }, samples)).rejects.toThrow(
      'over',
    );
    isOver = false;
    expect(own.encoder.encode([sample]).accepted).toHaveLength(1);
  });
});
