import { describe, expect, it } from 'vitest';
import { isOfTrees } from '../../lib/spec/experts-schema.ts';
import { defineSpec, type SpecInput } from '../../lib/spec/spec.ts';
import type { Parameters } from '../../lib/state/state.ts';
import {
  answered,
  declared,
  draw,
  islands,
  learnt,
  left,
  modelOf as modelWith,
  type Row,
  right,
  sharesRight,
} from '../support/one-expert.ts';

const trees = { predicts: 'trees', window: 400, trees: 30, leaves: 8, rate: 0.3 } as const;
const modelOf = (own: Partial<SpecInput> = {}, window: number = trees.window) =>
  modelWith({ ...trees, window }, own);
const own = ({ tensors }: Parameters) =>
  Object.entries(tensors).filter(([name]) => name.includes('/trees/'));

/** A label of thresholds that count together, and of a category. */
const steps = (count: number, first = 0): Row[] =>
  Array.from({ length: count }, (_, i) => {
    const [a, b] = [draw(first + i, 0), draw(first + i, 1)];
    const team = ['x', 'y', 'z'][Math.floor(3 * draw(first + i, 2))] ?? 'x';
    return { features: { a, b, team }, label: stepOf(a, b, team) };
  });
const stepOf = (a: number, b: number, team: string) =>
  (a > 0.3 === b > 0.6 ? 40 : -10) + (team === 'y' ? 25 : 0);
const stepped = {
  features: { ...declared.features, team: { type: 'category', values: ['x', 'y', 'z'] } },
} satisfies Partial<SpecInput>;

describe('an expert of trees', () => {
  it('answers by thresholds that count together, and by values of a category', async () => {
    const model = await modelOf(stepped);
    const parameters = await learnt(model, steps(800));
    const asked = steps(60, 800);
    const answers = await answered(model, parameters, asked);
    const errors = answers.map((answer, i) => Math.abs(answer - Number(asked[i]?.label)));
    expect(errors.filter((error) => error < 5).length).toBeGreaterThan(52);
  });

  it('knows its samples as they came when numbers and labels are scaled anew', async () => {
    const model = await modelOf();
    const from = await learnt(model, islands(100));
    const far = { features: { a: 100, b: 500 }, label: 10_000 };
    for (const rows of [[far], [...islands(6, 100), far, ...islands(40, 107)]]) {
      const after = await learnt(model, rows, { from });
      const [one = 0, other = 0] = await answered(model, after, [left, right]);
      expect(one).toBeCloseTo(10.5, -1);
      expect(other).toBeCloseTo(30.5, -1);
    }
  });

  it.each([0.1, 0.5, 0.9])('learns the quantile %d by thresholds', async (quantile) => {
    const model = await modelOf({ loss: { quantile } });
    const rows = islands(2_000).map((row, i) => {
      const isLeft = Number(row.features.a) < 0;
      return { ...row, label: (isLeft ? 0 : 50) + (isLeft ? 10 : 40) * draw(i, 7) };
    });
    const parameters = await learnt(model, rows, { size: 100 });
    const [one = 0, other = 0] = await answered(model, parameters, [left, right]);
    expect(Math.abs(one - 10 * quantile)).toBeLessThan(1.5);
    expect(Math.abs(other - 50 - 40 * quantile)).toBeLessThan(6);
  });

  it.each([1e-4, 1e5])('learns labels that are not standardised, in units of %d', async (unit) => {
    const model = await modelOf({ label: { standardize: false } });
    const rows = islands(400).map((row) => ({ ...row, label: unit * Number(row.label) }));
    const parameters = await learnt(model, rows);
    const [one = 0, other = 0] = await answered(model, parameters, [left, right]);
    expect(one / unit).toBeCloseTo(10.5, -1);
    expect(other / unit).toBeCloseTo(30.5, -1);
  });

  it('grows trees when there is enough that is new, and not for each message', async () => {
    const model = await modelOf();
    const grown = async (count: number) => {
      const parameters = await learnt(model, islands(count), { size: 1 });
      return parameters.tensors['weights/expert_2/trees/grown']?.data[0];
    };
    // (Labels vary from the second sample on.)
    expect(await Promise.all([8, 9, 16, 17, 18].map(grown))).toEqual([0, 8, 8, 16, 16]);
  });

  it('has the same bits of the same steps, however they are cut into messages', async () => {
    const rows = islands(96);
    const [model, other] = await Promise.all([modelOf(), modelOf()]);
    const steps = Number(model.spec.online.minibatch);
    const [one, two] = [
      await learnt(model, rows, { size: steps }),
      await learnt(other, rows, { size: steps }),
    ];
    expect(own(one)).toEqual(own(two));
    expect(own(one)).not.toEqual(own(await learnt(model, rows.slice(1), { size: steps })));
  });

  it('keeps each sample once, however often it is learnt', async () => {
    const [once, again] = await Promise.all(
      [1, 3].map(async (passes) => {
        const model = await modelOf();
        const spec = { ...model.spec, online: { ...model.spec.online, passes } };
        const parameters = await learnt({ ...model, spec }, islands(60));
        return ['place', 'weights'].map(
          (name) => parameters.tensors[`optimizer/expert_2/trees/${name}`]?.data,
        );
      }),
    );
    expect(again).toEqual(once);
    expect(once?.[1]?.filter((weight) => weight > 0).length).toBeGreaterThan(50);
  });

  it('follows the newest samples by its last trees, while the others last', async () => {
    const model = await modelOf({}, 8_000);
    const since = ({ tensors }: Parameters) => tensors['optimizer/expert_2/trees/place']?.data[1];
    let before = await learnt(model, islands(1_000), { size: 100 });
    for (let first = 1_000; since(before) !== 0; first += 10)
      before = await learnt(model, islands(10, first), { from: before, size: 10 });
    const moved = islands(150).map((row) => ({ ...row, label: Number(row.label) + 10 }));
    const after = await learnt(model, moved, { from: before });
    const leavesOf = ({ tensors }: Parameters) => {
      const { data = [], shape } = tensors['weights/expert_2/trees/leaves'] ?? {};
      const first = (20 / trees.trees) * data.length;
      expect(shape?.[0]).toBe(trees.trees);
      return [data.slice(0, first), data.slice(first)];
    };
    const [lasting, others] = leavesOf(after);
    expect(lasting).toEqual(leavesOf(before)[0]);
    expect(others).not.toEqual(leavesOf(before)[1]);
    const [then = 0] = await answered(model, before, [left]);
    const [now = 0] = await answered(model, after, [left]);
    expect(then).toBeCloseTo(10.5, 0);
    expect(now).toBeGreaterThan(12);
  });

  it('forgets what is older than its window', async () => {
    const model = await modelOf({}, 32);
    const before = await learnt(model, islands(200));
    const moved = islands(64).map((row) => ({ ...row, label: Number(row.label) + 500 }));
    const after = await learnt(model, moved, { from: before });
    for (const answer of await answered(model, after, [left, right]))
      expect(answer).toBeGreaterThan(450);
  });

  it('counts samples by their weights', async () => {
    const model = await modelOf({ task: 'binary' });
    const known = islands(64).map((row) => ({ ...row, label: Number(row.label) > 20 }));
    const from = await learnt(model, known);
    const wrong = known.map((row) => ({ ...row, label: !row.label, weight: 1e-6 }));
    const answers = await answered(model, await learnt(model, wrong, { from }), [left, right]);
    expect(answers[0]).toBeLessThan(0.1);
    expect(answers[1]).toBeGreaterThan(0.9);
  });

  it('does not say again of others what one label in a thousand was', async () => {
    const model = await modelOf();
    const from = await learnt(model, islands(100));
    const odd = { ...left, label: 1e6 };
    const after = await learnt(model, [odd, ...islands(200, 100)], { from });
    const [one = 0, other = 0] = await answered(model, after, [left, right]);
    expect(Math.abs(one)).toBeLessThan(1_000);
    expect(Math.abs(other)).toBeLessThan(1_000);
  });

  it('tells shares of classes, of those that come later, too, which sum to 1', async () => {
    const model = await modelOf({ task: 'multiclass', label: { maxClasses: 5 } });
    const rows = islands(180).map(({ features, label }, i) => ({
      features,
      label: i > 90 && i % 3 === 0 ? 'late' : Number(label) > 20 ? 'up' : 'down',
    }));
    const answers = await answered(model, await learnt(model, rows), [left, right]);
    for (const start of [0, 5]) {
      const shares = answers.slice(start, start + 5);
      expect(shares.reduce((sum, share) => sum + share, 0)).toBeCloseTo(1, 5);
      // (Those that have not come have none.)
      expect(shares.map((share) => share > 0)).toEqual([true, true, true, false, false]);
    }
    const [up, down] = Number(rows[0]?.label === 'up') ? [0, 1] : [1, 0];
    expect(answers[down]).toBeGreaterThan(0.5);
    expect(answers[5 + up]).toBeGreaterThan(0.5);
  });

  it('predicts several outputs', async () => {
    const model = await modelOf({ label: { outputs: ['u', 'v'] } });
    const rows = islands(200).map(({ features, label }) => ({
      features,
      label: { u: label, v: -Number(label) },
    }));
    const [u, v] = await answered(model, await learnt(model, rows), [
      { ...left, label: { u: 0, v: 0 } },
    ]);
    expect(u).toBeCloseTo(10.5, -1);
    expect(v).toBeCloseTo(-10.5, -1);
  });

  it('says the same of samples however many are asked about at once', async () => {
    const model = await modelOf();
    const parameters = await learnt(model, islands(100));
    const asked = islands(9, 100);
    const each = await Promise.all(asked.map((row) => answered(model, parameters, [row])));
    expect(await answered(model, parameters, asked)).toEqual(each.flat());
  });

  it('tells what the other default experts do not', async () => {
    const names = ['a', 'b', 'c', 'd', 'e'] as const;
    const rows = Array.from({ length: 1_500 }, (_, i) => {
      const [a = 0, b = 0, c = 0, ...others] = names.map((__, column) => draw(i, column));
      const [d, e] = others;
      const side = a > 0.3 ? (b > 0.6 ? c > 0.5 : c > 0.2) : b > 0.4 ? c < 0.7 : c < 0.4;
      return { features: { a, b, c, d, e }, label: side };
    });
    const features = Object.fromEntries(names.map((name) => [name, { type: 'number' as const }]));
    const { whole, without } = await sharesRight(rows, { features, task: 'binary' }, isOfTrees);
    expect(whole).toBeGreaterThan(without + 0.03);
  });
});

describe('a spec with an expert of trees', () => {
  const experts = [{ hidden: [] }, { predicts: 'trees' as const }];
  const rare = { type: 'category', vocabulary: { size: 9, expireAfter: 99 } } as const;
  it.each<[string, Partial<SpecInput>, RegExp]>([
    ['of nothing that they look at', { features: { rare } }, /do not expire.*none/],
    ['of huber', { loss: 'huber' }, /trees learns means, shares and quantiles/],
    [
      'of wide samples and a long window',
      { features: { a: { type: 'vector', length: 1_000 } } },
      /1048576 values at most \(found 8000000: 1000 of each sample\); lower a window/,
    ],
    [
      'of more leaves than a state may have',
      {
        label: { outputs: Array.from({ length: 90 }, (_, i) => `o${i}`) },
        online: { experts: [{}, { ...trees, trees: 256, leaves: 64 }] },
      },
      /1048576 numbers at most.*found 1474560.*lower trees or leaves/,
    ],
    ['of one leaf', { online: { experts: [{}, { ...trees, leaves: 1 }] } }, /leaves/],
  ])('is refused %s', (_, wrong, reason) => {
    expect(() => defineSpec({ ...declared, online: { experts }, ...wrong })).toThrow(reason);
  });
});
