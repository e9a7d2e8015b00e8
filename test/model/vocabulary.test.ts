import { describe, expect, it } from 'vitest';
import { createEngine } from '../../lib/engine/create-engine.ts';
import { hashIntegers } from '../../lib/features/hash.ts';
import { learn } from '../../lib/model/learn.ts';
import { compileModel, initialState } from '../../lib/model/model.ts';
import { defineSpec, type SpecInput } from '../../lib/spec/spec.ts';
import type { Parameters } from '../../lib/state/state.ts';

const engine = createEngine({ threads: 1, warn: () => undefined });
const draw = (...place: number[]) => hashIntegers(29, ...place) / 2 ** 32;

const count = 24_000;
const messageSamples = 50;

/**
 * Sellers come and go: at each time there are some hundred, of which each is good or bad. Every
 * other sample is of one who comes once.
 */
const sellers = Array.from({ length: count }, (_, i) => {
  const isOnce = draw(i, 0) < 0.5;
  const seller = isOnce ? 1e6 + i : Math.floor(i / 60) + Math.floor(draw(i, 1) * 100);
  const isGood = isOnce ? draw(i, 2) < 0.5 : draw(seller, 3) < 0.5;
  return { features: { seller: `s${seller}` }, label: draw(i, 4) < (isGood ? 0.9 : 0.1) };
});

/** The mean loss of the latter half of the stream, each sample predicted before it is learnt. */
async function lossOf(seller: SpecInput['features'][string]): Promise<number> {
  const spec = defineSpec({ model: 'sellers', task: 'binary', features: { seller } });
  const model = { name: spec.model, ...(await compileModel(engine, spec)) };
  let parameters: Parameters = initialState(model);
  let loss = 0;
  for (let start = 0; start < count; start += messageSamples) {
    const own = sellers.slice(start, start + messageSamples);
    const learned = await learn(model, parameters, model.encoder.encode(own).samples);
    if (!learned.ok) throw new Error(learned.reason);
    parameters = learned.parameters;
    if (start >= count / 2) loss += learned.scores.loss;
  }
  return loss / (count / 2);
}

describe('a vocabulary', () => {
  it('follows values that come and go, where buckets of the same number mix them', async () => {
    const buckets = await lossOf({ type: 'category', buckets: 256 });
    const growing = await lossOf({
      type: 'category',
      vocabulary: { size: 255, admitAfter: 2, expireAfter: 2_000 },
    });
    const full = await lossOf({ type: 'category', vocabulary: { size: 255, admitAfter: 2 } });
    // Who knew each seller at once would lose this.
    const entropy = -(0.9 * Math.log(0.9) + 0.1 * Math.log(0.1));
    const least = (Math.log(2) + entropy) / 2;
    expect(growing - least).toBeGreaterThan(0);
    expect(growing - least).toBeLessThan((buckets - least) / 2);
    expect(growing - least).toBeLessThan((full - least) / 2);
  });
});
