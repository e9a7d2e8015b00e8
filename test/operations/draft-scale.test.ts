import { describe, expect, it } from 'vitest';
import { bytesInMemory } from '../../lib/datasets/byte-source.ts';
import { readSamples } from '../../lib/datasets/read-samples.ts';
import { createEngine } from '../../lib/engine/create-engine.ts';
import { hashIntegers } from '../../lib/features/hash.ts';
import { learn } from '../../lib/model/learn.ts';
import { compileModel } from '../../lib/model/model.ts';
import { draftSpec } from '../../lib/operations/draft-spec.ts';
import { defineSpec, type SpecInput } from '../../lib/spec/spec.ts';

const draw = (...place: number[]) => hashIntegers(43, ...place) / 2 ** 31 - 1;
/** About normal. */
const normal = (...place: number[]) =>
  [1, 2, 3, 4, 5, 6].reduce((sum, each) => sum + draw(...place, each), 0) / Math.sqrt(2);

function fileOf(rows: readonly (readonly unknown[])[]) {
  const lines = rows.map((row) => row.join(','));
  return {
    name: 'a.csv',
    bytes: bytesInMemory(Buffer.from(`x,z,y\n${lines.join('\n')}\n`)),
  };
}

describe('numbers of which some are far from the others', () => {
  const scaleOf = async (cell: (i: number) => unknown, isRegression = false) => {
    const label = (i: number) => (isRegression ? draw(i, 9) : draw(i, 9) > 0);
    const rows = Array.from({ length: 500 }, (_, i) => [cell(i), i % 7, label(i)]);
    const { spec, doubts } = await draftSpec('far', fileOf(rows), { labels: ['y'] });
    const said = doubts.filter((doubt) => doubt.includes('far from the others'));
    return { feature: spec.features.x, said };
  };
  const sizes = (i: number) => Math.exp(3 * normal(i));

  it.each<[string, (i: number) => unknown, object]>([
    ['normal ones are as they are', (i) => normal(i), { type: 'number' }],
    ['even ones are as they are', (i) => draw(i), { type: 'number' }],
    ['exponential ones are as they are', (i) => -Math.log((1 + draw(i)) / 2), { type: 'number' }],
    ['mostly one value says nothing', (i) => (i % 9 === 0 ? i : 0), { type: 'number' }],
    ['amounts of all sizes', sizes, { type: 'number', log: true }],
    ['too small for a logarithm', (i) => 1e-20 * sizes(i), { type: 'number' }],
    [
      'years, of which some are 0',
      (i) => (i % 50 === 3 ? 0 : 1990 + (i % 30)),
      { type: 'number', standardize: 'robust' },
    ],
    [
      'errors of both signs',
      (i) => normal(i) * (i % 50 === 3 ? 1e3 : 1),
      { type: 'number', standardize: 'robust' },
    ],
    ['a mark for what is missing', (i) => (i % 50 === 3 ? -999 : draw(i)), { type: 'number' }],
    ['one that is refused', (i) => (i === 3 ? -3.5e38 : draw(i)), { type: 'number' }],
    ['rounding', (i) => ['0.3', `${0.1 + 0.2}`, '1'][i % 50 === 3 ? 2 : i % 2], { type: 'number' }],
  ])('%s', async (_, cell, feature) => {
    const found = await scaleOf(cell);
    expect(found.feature).toEqual(feature);
    if (Object.keys(feature).length > 1) expect(found.said).toHaveLength(1);
  });

  it('may be what the label of a regression grows with', async () => {
    const { feature, said } = await scaleOf(sizes, true);
    expect(feature).toEqual({ type: 'number' });
    expect(said).toEqual([
      expect.stringContaining('unless labels grow with them, write "log": true'),
    ]);
  });

  it('say more so', async () => {
    const rows = Array.from({ length: 1_000 }, (_, i) => {
      const [x, z] = [normal(i, 1), normal(i, 2)];
      const wild = (value: number, column: number) =>
        draw(i, column) > 0.96 ? value * 300 * normal(i, column + 2) : value;
      return [wild(x, 3), wild(z, 4), 2 * x - z > 0];
    });
    const { spec } = await draftSpec('far', fileOf(rows), { labels: ['y'] });
    const lossBy = async (features: SpecInput['features']) => {
      const own = defineSpec({ ...spec, features, online: { minibatch: 8 } });
      const engine = createEngine({ threads: 1, warn: () => undefined });
      const model = { name: 'far', ...(await compileModel(engine, own)) };
      let [parameters, wrong] = [model.initial, 0];
      for await (const { samples } of readSamples(own, fileOf(rows))) {
        const all = [...samples];
        for (let from = 0; from < all.length; from += 20) {
          const { samples: encoded } = model.encoder.encode(all.slice(from, from + 20));
          const learned = await learn(model, parameters, encoded);
          if (!learned.ok) throw new Error(learned.reason);
          parameters = learned.parameters;
          if (from >= 200)
            learned.samples.labels.forEach((label, i) => {
              wrong += Number((learned.predictions[i] ?? 0) > 0.5 !== label > 0.5);
            });
        }
      }
      return wrong;
    };
    const plain = Object.fromEntries(
      Object.keys(spec.features).map((name) => [name, { type: 'number' as const }]),
    );
    expect(spec.features).not.toEqual(plain);
    expect(await lossBy(spec.features)).toBeLessThan(0.7 * (await lossBy(plain)));
  });
});
