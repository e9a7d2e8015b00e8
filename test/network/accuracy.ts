import { createEngine } from '../../lib/engine/create-engine.ts';
import { learnWithoutTest } from '../../lib/model/learn.ts';
import { compileModel, initialState } from '../../lib/model/model.ts';
import { predict } from '../../lib/model/predict.ts';
import { defineSpec, type SpecInput } from '../../lib/spec/spec.ts';
import { draw } from '../engine/samples.ts';

/**
 * How many of 400 points of a plane a model knows after 2,000 others.
 *
 * @param own what its spec has besides two numbers
 * @param isIn which points are to be known
 */
export async function accuracyOf(
  own: Partial<SpecInput>,
  isIn: (x: number, y: number) => boolean,
): Promise<number> {
  const spec = defineSpec({
    model: 'plane',
    task: 'binary',
    features: { x: { type: 'number' }, y: { type: 'number' } },
    ...own,
  });
  const engine = createEngine({ threads: 1, warn: () => {} });
  const model = { name: spec.model, ...(await compileModel(engine, spec)) };
  const samples = Array.from({ length: 2_400 }, (_, i) => {
    const [x, y] = [2 * draw(i, 1), 2 * draw(i, 2)];
    return { features: { x, y }, label: isIn(x, y) };
  });
  const { samples: encoded } = model.encoder.encode(samples.slice(0, 2_000));
  const state = await learnWithoutTest(model, initialState(model), encoded);
  const { samples: asked } = model.encoder.encodeFeatures(samples.slice(2_000));
  const shares = await predict(model, state, asked);
  const right = samples.slice(2_000).filter(({ label }, i) => (shares[i] ?? 0) > 0.5 === label);
  return right.length / 400;
}
