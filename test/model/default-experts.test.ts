import { describe, expect, it } from 'vitest';
import { createEngine } from '../../lib/engine/create-engine.ts';
import { answeringWeights } from '../../lib/engine/experts/mixture.ts';
import { hashIntegers } from '../../lib/features/hash.ts';
import { compileModel } from '../../lib/model/model.ts';
import { defineSpec, type SpecInput } from '../../lib/spec/spec.ts';
import { learnMessages } from '../bench/progressive.ts';

const engine = createEngine({ threads: 1, warn: () => undefined });
const count = 2_000;
const draw = (...place: number[]) => hashIntegers(5, ...place) / 2 ** 31 - 1;

type Row = { readonly x: readonly number[]; readonly label: number };

/** Streams of which some simple learner knows best. */
const streams: Readonly<Record<string, (i: number) => Row>> = {
  'a label that drifts away': (i) => ({ x: [draw(i, 1)], label: i / 10 + 3 * draw(i, 2) }),
  'a label that grows with a column': (i) => ({ x: [i], label: 0.2 * i + draw(i, 1) }),
  'the sum of many columns, most of them 0': (i) => {
    const x = Array.from({ length: 60 }, (_, column) =>
      draw(i, column, 3) > 0.9 ? draw(i, column) : 0,
    );
    return { x, label: x.reduce((sum, each, column) => sum + each * draw(column, 9), 0) };
  },
};

const prior = { predicts: 'prior' as const };
const rivals = {
  'the last label': [{ hidden: [], rate: 1e-9 }, prior, { predicts: 'lastLabel' as const }],
  'a linear model': [{ hidden: [], rate: 0.1, replay: true }, prior],
} satisfies Record<string, NonNullable<SpecInput['online']>['experts']>;

/** The mean loss of the latter half, in messages of some size. */
async function lossOf(
  row: (i: number) => Row,
  experts: NonNullable<SpecInput['online']>['experts'],
  size: number,
): Promise<number> {
  const spec = defineSpec({
    model: 'm',
    task: 'regression',
    features: { x: { type: 'vector', length: row(0).x.length } },
    network: { hidden: [32] },
    online: { experts },
  });
  const model = { name: 'm', ...(await compileModel(engine, spec)) };
  const { samples } = model.encoder.encode(
    Array.from({ length: count }, (_, i) => row(i)).map(({ x, label }) => ({
      features: { x },
      label,
    })),
  );
  const losses: number[] = [];
  for await (const { learned } of learnMessages(model, samples, size))
    losses.push(learned.scores.loss);
  return losses.slice(losses.length / 2).reduce((sum, loss) => sum + loss, 0) / (count / 2);
}

describe.each([10, 100])('the default experts, in messages of %i', (size) => {
  it.each(Object.keys(streams))('are nearly as good as the best of some for %s', async (name) => {
    const row = streams[name];
    if (row === undefined) throw new Error('no stream');
    const own = await lossOf(row, 'default', size);
    const each = await Promise.all(Object.values(rivals).map((rival) => lossOf(row, rival, size)));
    // (Half the squared error: 1.7 is a third more of an error.)
    expect(own).toBeLessThan(1.7 * Math.min(...each));
  });
});

describe('experts that hardly count', () => {
  const mixture = {
    weights: Float64Array.of(0.6, 0.35, 0.04, 0.01),
    usual: new Float64Array(4),
    errors: new Float64Array(4),
  };

  it('have no say in an answer, where specs are of today', () => {
    const [first = 0, second = 0, ...others] = answeringWeights({ revision: 11 }, mixture);
    expect(first / second).toBeCloseTo(0.6 / 0.35, 12);
    expect(first + second).toBeCloseTo(1, 12);
    expect(others).toEqual([0, 0]);
    expect(answeringWeights({ revision: 10 }, mixture)).toBe(mixture.weights);
  });
});
