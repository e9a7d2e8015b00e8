import { describe, expect, it } from 'vitest';
import { isOfNeighbours } from '../../lib/spec/experts-schema.ts';
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
  right,
  sharesRight,
} from '../support/one-expert.ts';

const modelOf = (own: Partial<SpecInput> = {}, window = 1_000) =>
  modelWith({ predicts: 'neighbours', window }, own);

describe('an expert of neighbours', () => {
  it('answers by the labels of samples that are alike, in their own unit', async () => {
    const model = await modelOf();
    const [one = 0, other = 0] = await answered(model, await learnt(model, islands(300)), [
      left,
      right,
    ]);
    expect(one).toBeCloseTo(10.5, 0);
    expect(other).toBeCloseTo(30.5, 0);
  });

  it('knows its samples as they came when numbers and labels are scaled anew', async () => {
    const model = await modelOf();
    const from = await learnt(model, islands(100));
    const far = { features: { a: 100, b: 500 }, label: 10_000 };
    const after = await learnt(model, [...islands(6, 100), far, ...islands(20, 107)], { from });
    const [one = 0, other = 0] = await answered(model, after, [left, right]);
    // (Standardised, the islands are next to one another now, and so are their labels.)
    expect(one).toBeCloseTo(10.5, 0);
    expect(other).toBeCloseTo(30.5, 0);
  });

  it('does not say again of others what one label in a thousand was', async () => {
    const model = await modelOf();
    const from = await learnt(model, islands(100));
    const odd = { ...left, label: 1e6 };
    const after = await learnt(model, [odd, ...islands(200, 100)], { from });
    const [one = 0] = await answered(model, after, [left]);
    expect(Math.abs(one)).toBeLessThan(1_000);
  });

  it('says of what is rare, and can be told, what it is', async () => {
    const model = await modelOf();
    const rows = Array.from({ length: 1_500 }, (_, i) => {
      const [a, b] = [draw(i, 0), draw(i, 1)];
      const isIn = Math.hypot(a - 0.3, b - 0.6) < 0.1;
      return { features: { a, b }, label: (isIn ? 50 : 0) + draw(i, 2) };
    });
    const parameters = await learnt(model, rows);
    const [inside = 0, outside = 0] = await answered(model, parameters, [
      { features: { a: 0.3, b: 0.6 }, label: 0 },
      { features: { a: 0.8, b: 0.2 }, label: 0 },
    ]);
    expect(inside).toBeGreaterThan(40);
    expect(outside).toBeLessThan(5);
  });

  it('keeps and compares each sample once, however often it is learnt', async () => {
    const [once, again] = await Promise.all(
      [1, 3].map(async (passes) => {
        const model = await modelOf();
        const spec = { ...model.spec, online: { ...model.spec.online, passes } };
        return learnt({ ...model, spec }, islands(60));
      }),
    );
    const own = ({ tensors }: Parameters) =>
      // (What is restated by next to nothing is rounded otherwise.)
      Object.entries(tensors).filter(([name]) => /\/neighbours\/(?!usual)/.test(name));
    expect(once && own(once).length).toBe(10);
    expect(once && again && own(again)).toEqual(once && own(once));
  });

  it('forgets what is older than its window', async () => {
    const model = await modelOf({}, 32);
    const before = await learnt(model, islands(200));
    const moved = islands(64).map((row) => ({ ...row, label: Number(row.label) + 500 }));
    const after = await learnt(model, moved, { from: before });
    for (const answer of await answered(model, after, [left, right]))
      expect(answer).toBeGreaterThan(500);
  });

  it('learns which columns tell who is alike', async () => {
    const names = ['a', 'b', 'c', 'd', 'e', 'f'];
    const model = await modelOf({
      features: Object.fromEntries(names.map((name) => [name, { type: 'number' }])),
    });
    const rows = Array.from({ length: 900 }, (_, i) => {
      const numbers = names.map((name, j) => [name, draw(i, j)] as const);
      return { features: Object.fromEntries(numbers), label: Math.sin(6 * draw(i, 0)) };
    });
    const { tensors } = await learnt(model, rows);
    const { data = [] } = tensors['weights/expert_2/neighbours/columns'] ?? {};
    const [own = 0, ...others] = data;
    // (Logarithms of how much each counts.)
    expect(own).toBeGreaterThan(Math.max(...others) + 2);
  });

  it('does not keep samples that weigh nothing', async () => {
    const model = await modelOf({ task: 'binary' });
    const known = islands(64).map((row) => ({ ...row, label: Number(row.label) > 20 }));
    const none = known.map((row) => ({ ...row, label: !row.label, weight: 1e-6 }));
    const from = await learnt(model, known);
    const answers = await answered(model, await learnt(model, none, { from }), [left, right]);
    expect(answers[0]).toBeLessThan(0.1);
    expect(answers[1]).toBeGreaterThan(0.9);
  });

  it('tells shares of classes, of those that come later, too, which sum to 1', async () => {
    const model = await modelOf({ task: 'multiclass', label: { maxClasses: 5 } });
    const rows = islands(90).map(({ features, label }, i) => ({
      features,
      label: i > 60 && i % 3 === 0 ? 'late' : Number(label) > 20 ? 'up' : 'down',
    }));
    const answers = await answered(model, await learnt(model, rows), [left, right]);
    for (const start of [0, 5]) {
      const own = answers.slice(start, start + 5);
      expect(own.reduce((sum, share) => sum + share, 0)).toBeCloseTo(1, 5);
      expect(own.every((share) => share >= 0)).toBe(true);
    }
    expect(answers.indexOf(Math.max(...answers.slice(0, 5)))).not.toBe(
      answers.slice(5).indexOf(Math.max(...answers.slice(5))),
    );
  });

  it('predicts several outputs', async () => {
    const model = await modelOf({ label: { outputs: ['u', 'v'] } });
    const rows = islands(200).map(({ features, label }) => ({
      features,
      label: { u: label, v: -Number(label) },
    }));
    const answers = await answered(model, await learnt(model, rows), [
      { ...left, label: { u: 0, v: 0 } },
    ]);
    expect(answers[0]).toBeCloseTo(10.5, 0);
    expect(answers[1]).toBeCloseTo(-10.5, 0);
  });

  it('says the same of samples however many are asked about at once', async () => {
    const model = await modelOf();
    const parameters = await learnt(model, islands(100));
    const asked = islands(9, 100);
    const each = await Promise.all(asked.map((row) => answered(model, parameters, [row])));
    expect(await answered(model, parameters, asked)).toEqual(each.flat());
  });

  it('follows centres that move, which the other default experts lose', async () => {
    const centres = Array.from({ length: 12 }, (_, i) => [draw(i, 5), draw(i, 6)] as const);
    const rows = Array.from({ length: 2_000 }, (_, i) => {
      const centre = Math.floor(12 * draw(i, 7));
      const [a = 0, b = 0] = centres[centre] ?? [];
      const turn = i / 400 + centre;
      return {
        features: {
          a: a + Math.cos(turn) / 4 + draw(i, 8) / 20,
          b: b + Math.sin(turn) / 4 + draw(i, 9) / 20,
        },
        label: `c${centre % 3}`,
      };
    });
    const label = { classes: ['c0', 'c1', 'c2'] };
    const { whole, without } = await sharesRight(
      rows,
      { task: 'multiclass', label },
      isOfNeighbours,
    );
    expect(whole).toBeGreaterThan(without + 0.03);
  });
});

describe('a spec with an expert of neighbours', () => {
  const experts = [{ hidden: [] }, { predicts: 'neighbours' as const }];
  it.each<[string, Partial<SpecInput>, RegExp]>([
    ['of categories alone', { features: { a: { type: 'category', values: ['x'] } } }, /none/],
    ['of a quantile', { loss: { quantile: 0.5 } }, /quantile/],
    [
      'of wide samples and a long window',
      {
        features: { a: { type: 'vector', length: 1_000 } },
        online: { experts: [{ hidden: [] }, { predicts: 'neighbours', window: 8_000 }] },
      },
      /1048576 numbers at most \(found 8000000: 1000 of each sample\); lower a window/,
    ],
    [
      'of no window',
      { online: { experts: [{}, { predicts: 'neighbours', window: 0 }] } },
      /window/,
    ],
  ])('is refused %s', (_, own, reason) => {
    expect(() => defineSpec({ ...declared, online: { experts }, ...own })).toThrow(reason);
  });
});
