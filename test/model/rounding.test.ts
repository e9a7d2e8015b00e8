import { describe, expect, it } from 'vitest';
import { hashIntegers } from '../../lib/features/hash.ts';
import { learn } from '../../lib/model/learn.ts';
import { compileModel } from '../../lib/model/model.ts';
import { defineSpec, type SpecInput } from '../../lib/spec/spec.ts';
import { createWorld } from '../support/world.ts';

const draw = (i: number, kind: number) => hashIntegers(5, i, kind) / 2 ** 32;

/** A number that is another one by rounding alone, and later one that is far from both. */
function nearly(value: number, i: number): number {
  return i < 60 ? value * (1 + (i % 3) * Number.EPSILON) : value + (i % 5);
}

/** Days of one week after the other, ten rows a day. */
const dayOf = (i: number) =>
  new Date(Date.UTC(2026, 0, 1 + Math.floor(i / 10))).toISOString().slice(0, 10);

type Row = { readonly features: Record<string, unknown>; readonly label: number };

const rowsOf = (odd: (i: number) => unknown, label = (x: number, _: number) => 3 * x + 5) =>
  Array.from({ length: 300 }, (_, i): Row => {
    const x = 4 * draw(i, 1) - 2;
    return { features: { x, odd: odd(i) }, label: label(x, i) + draw(i, 2) };
  });

/** The greatest loss of a message behind the first ones; of labels, in their own unit. */
async function worstLoss(input: SpecInput, rows: readonly Row[], revision?: number) {
  const spec = { ...defineSpec(input), ...(revision && { revision }) };
  const model = { name: spec.model, ...(await compileModel(createWorld().engine, spec, spec)) };
  let parameters = model.initial;
  let worst = 0;
  for (let start = 0; start < rows.length; start += 10) {
    const { samples } = model.encoder.encode(rows.slice(start, start + 10));
    const learned = await learn(model, parameters, samples);
    if (!learned.ok) return Number.POSITIVE_INFINITY;
    worst = Math.max(worst, learned.scores.loss / learned.scores.samples);
    parameters = learned.parameters;
  }
  return worst;
}

const x = { type: 'number' } as const;
type Feature = SpecInput['features'][string];
const days: Feature = { type: 'timestamp', parts: ['weekday', 'dayOfYear'] };
const hours: Feature = { type: 'timestamp', parts: ['hour'] };
const adam = { type: 'adam', rate: 0.01 } as const;
const own = { network: { hidden: [8] }, optimizer: adam };
const normalized: Pick<SpecInput, 'network' | 'optimizer'> = {
  network: { hidden: [] },
  optimizer: { type: 'adagrad', rate: 0.5, normalized: true },
};
const numbers = rowsOf((i) => nearly(0.3, i));
const quarters = rowsOf((i) => (i < 60 ? 6 + 12 * (i % 2) : i % 24) * 3_600);

const cases: readonly [string, Omit<SpecInput, 'model' | 'task'>, readonly Row[]][] = [
  ['days, adam', { features: { x, odd: days }, ...own }, rowsOf(dayOf)],
  [
    'days, sgd',
    { features: { x, odd: days }, ...own, optimizer: { type: 'sgd', rate: 0.05 } },
    rowsOf(dayOf),
  ],
  ['days, by norm', { features: { x, odd: days }, ...normalized }, rowsOf(dayOf)],
  ['two hours whose cosines are 0, nearly', { features: { x, odd: hours }, ...own }, quarters],
  ['a number, adam', { features: { x, odd: x }, ...own }, numbers],
  ['a number that forgets', { features: { x, odd: { ...x, halfLife: 50 } }, ...own }, numbers],
  [
    'a number by its range',
    { features: { x, odd: { ...x, standardize: 'minMax' } }, ...own },
    numbers,
  ],
  [
    'a number, experts',
    { features: { x, odd: x }, network: { hidden: [8] }, online: { experts: 'default' } },
    numbers,
  ],
];

describe('what varies by rounding alone', () => {
  it.each(cases)('is no reason to be far off: %s', async (_, declared, rows) => {
    const spec = { model: 'm', task: 'regression' as const, ...declared };
    // The squared deviation of the labels is 13, and they are up to 11 from 0.
    expect(await worstLoss(spec, rows)).toBeLessThan(250);
  });

  it('was, by the rules before', async () => {
    const losses = await Promise.all(
      cases.map(([, declared, rows]) =>
        worstLoss({ model: 'm', task: 'regression', ...declared }, rows, 15),
      ),
    );
    expect(losses.filter((loss) => loss > 1e6).length).toBeGreaterThan(3);
  });

  it.each([
    ['whole numbers beyond 10¹⁵', 9e15, 20],
    ['nanoseconds since 1970', 1.7e18, 3e4],
    ['a twentieth beside 10¹²', 1e12, 0.05],
  ])('is less than float64 tells apart: %s', async (_, offset, spread) => {
    const of = (u: number) => 2 * (draw(u, 6) - 0.5);
    const label = (i: number) => 3 * of(i);
    const rows = (odd: (i: number) => number) =>
      rowsOf(odd, (_x, i) => label(i) - draw(i, 2)).map((row) => ({
        ...row,
        features: { odd: row.features.odd },
      }));
    const spec = { model: 'm', task: 'regression', features: { odd: x }, ...own } as const;
    const plain = await worstLoss(spec, rows(of));
    const far = await worstLoss(
      spec,
      rows((i) => offset + spread * of(i)),
    );
    expect(far).toBeLessThan(plain * 1.2 + 0.1);
  });

  it('is no reason to be far off where labels are it', async () => {
    const rows = rowsOf(
      (i) => draw(i, 4),
      (_, i) => nearly(0.3, i) - draw(i, 2),
    );
    const spec = { model: 'm', task: 'regression', features: { x, odd: x }, ...own } as const;
    expect(await worstLoss(spec, rows)).toBeLessThan(50);
  });
});
