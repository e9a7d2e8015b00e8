import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { describe, expect, it } from 'vitest';
import type { EngineState } from '../../../lib/engine/engine.ts';
import { wasmEngine } from '../../../lib/engine/wasm/wasm.ts';
import { limits } from '../../../lib/limits.ts';
import { defineSpec } from '../../../lib/spec/spec.ts';
import { samplesOf } from '../samples.ts';

setFlagsFromString('--expose-gc');
const collect: () => void = runInNewContext('gc');

describe('states with large tables', () => {
  it('are collected once nobody has them, also where two take turns in one memory', async () => {
    const spec = defineSpec({
      model: 'collected',
      task: 'binary',
      features: { c: { type: 'category', buckets: limits.largeTableElements, dimensions: 1 } },
    });
    const model = await wasmEngine().compile(spec);
    const samples = samplesOf(spec, 8);
    const other = model.initial();
    let state = model.initial();
    const earlier: WeakRef<EngineState['tensors']>[] = [];
    for (let i = 0; i < 6; i++) {
      ({ state } = await model.train(state, samples, { minibatch: 4, rate: 0.1 }));
      await model.predict(other, samples);
      earlier.push(new WeakRef(state.tensors));
    }
    // What a loop has awaited is let go with the next turn.
    await new Promise((resolve) => setImmediate(resolve));
    collect();
    const kept = earlier.slice(0, -1).filter((each) => each.deref() !== undefined);
    expect(kept.length).toBeLessThanOrEqual(1);
    expect(state.step).toBeGreaterThan(0);
  });
});
