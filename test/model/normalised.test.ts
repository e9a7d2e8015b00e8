import { expect, it } from 'vitest';
import { createEncoder } from '../../lib/features/encoder.ts';
import { learn } from '../../lib/model/learn.ts';
import { compileModel } from '../../lib/model/model.ts';
import { defineSpec, type SpecInput } from '../../lib/spec/spec.ts';
import { createRandom } from '../simulation/random.ts';
import { createWorld } from '../support/world.ts';

/** A linear model over one column of some scale and one of another. */
const specOf = (standardize: 'maxAbs' | false): SpecInput => ({
  model: 'normalised',
  task: 'regression',
  features: { small: { type: 'number', standardize }, large: { type: 'number', standardize } },
  label: { standardize: false },
  network: { hidden: [] },
  optimizer: { type: 'adagrad', rate: 0.5 },
  online: { minibatch: 1 },
});

/** What is predicted of each of 400 samples before it is learnt, and the labels. */
async function learnt(standardize: 'maxAbs' | false, scale: number) {
  const spec = defineSpec(specOf(standardize));
  const { engine } = createWorld(spec);
  const model = { name: spec.model, ...(await compileModel(engine, spec, spec)) };
  const random = createRandom(3, 1);
  const said: number[] = [];
  const labels: number[] = [];
  let parameters = model.initial;
  for (let i = 0; i < 400; i++) {
    // The greatest sizes come early; what changes later is no matter of scale.
    const [small, own] = i === 1 ? [1, -1] : [random.next(), random.next() - 0.5];
    const features = { small, large: own * scale };
    const label = 2 * small - 3 * own;
    const { samples } = createEncoder(spec).encode([{ features, label }]);
    const learned = await learn(model, parameters, samples);
    if (!learned.ok) throw new Error(learned.reason);
    said.push(learned.predictions[0] ?? Number.NaN);
    labels.push(label);
    parameters = learned.parameters;
  }
  return { said, labels };
}

const errorOf = ({ said, labels }: { said: readonly number[]; labels: readonly number[] }) =>
  said.slice(-100).reduce((sum, each, i) => sum + Math.abs(each - (labels.at(i - 100) ?? 0)), 0) /
  100;

it('a column by its greatest size learns the same, however large it is', async () => {
  const [usual, large] = [await learnt('maxAbs', 1), await learnt('maxAbs', 4096)];
  // A power of two changes no digit.
  expect(large.said).toEqual(usual.said);
  expect(errorOf(usual)).toBeLessThan(0.1);
  const [plain, wild] = [await learnt(false, 1), await learnt(false, 4096)];
  expect(errorOf(plain)).toBeLessThan(0.1);
  expect(errorOf(wild)).toBeGreaterThan(10 * errorOf(large));
});

/**
 * What normalised adaptive gradient descent predicts of each sample before it learns it (Ross,
 * Mineiro and Langford 2013, algorithm 3, on columns whose greatest sizes come first), with a
 * constant beside the columns. Squares of gradients are of scaled columns; float64.
 */
function describedBy(samples: readonly { x: readonly number[]; y: number }[], rate: number) {
  const width = (samples[0]?.x.length ?? 0) + 1;
  const [weights, squares] = [new Float64Array(width), new Float64Array(width).fill(1e-9)];
  const greatest = new Float64Array(width).fill(0);
  let norms = 0;
  return samples.map(({ x, y }, t) => {
    const own = [...x, 1];
    own.forEach((value, i) => {
      greatest[i] = Math.max(greatest[i] ?? 0, Math.abs(value));
    });
    // Of columns that have not varied nothing is known: they are 0 in the first sample.
    const scaled = own.map((value, i) =>
      t === 0 && i < width - 1 ? 0 : value / (greatest[i] ?? 1),
    );
    norms += own.reduce((sum, value, i) => sum + (value / (greatest[i] ?? 1)) ** 2, 0);
    // (What they come to in the first sample is theirs alone.)
    const norm = t === 0 ? 1 : norms / (t + 1);
    const predicted = scaled.reduce((sum, value, i) => sum + value * (weights[i] ?? 0), 0);
    scaled.forEach((value, i) => {
      const gradient = 2 * (predicted - y) * value;
      squares[i] = (squares[i] ?? 0) + gradient ** 2;
      const step = gradient / Math.sqrt(squares[i] ?? 1);
      weights[i] = (weights[i] ?? 0) - (rate / Math.sqrt(norm)) * step;
    });
    return predicted;
  });
}

it.each([1, 8])('with `normalized`, %i columns learn as the paper has it', async (columns) => {
  const random = createRandom(4, 1);
  const samples = Array.from({ length: 300 }, (_, t) => {
    const sizes = Array.from({ length: columns }, (_, i) => 10 ** (i % 4));
    const x = sizes.map((size) => size * (t === 0 ? 1 : 2 * random.next() - 1));
    return { x, y: x.reduce((sum, value, i) => sum + (value / (sizes[i] ?? 1)) * (i + 1), 0.5) };
  });
  const features = Object.fromEntries(
    Array.from({ length: columns }, (_, i) => [
      `x${i}`,
      { type: 'number', standardize: 'maxAbs' } as const,
    ]),
  );
  const spec: SpecInput = {
    model: 'described',
    task: 'regression',
    features,
    label: { standardize: false },
    network: { hidden: [] },
    optimizer: {
      type: 'adagrad',
      rate: 0.5,
      initialAccumulator: 1e-9,
      epsilon: 1e-12,
      normalized: true,
    },
    online: { minibatch: 1 },
  };
  const rows = samples.map(({ x, y }) => ({
    features: Object.fromEntries(x.map((value, i) => [`x${i}`, value])),
    label: y,
  }));
  const { said } = await after(spec, rows, 1);
  const expected = describedBy(samples, 0.5);
  for (const [t, each] of said.entries())
    expect(each, `of sample ${t}`).toBeCloseTo(expected[t] ?? Number.NaN, 3);
  const errors = samples.map(({ y }, t) => Math.abs(y - (said[t] ?? 0)));
  const sum = (some: readonly number[]) => some.reduce((all, each) => all + each, 0);
  expect(sum(errors.slice(-100))).toBeLessThan(sum(errors.slice(0, 100)));
});

/** The parameters after rows in messages of some size, what they said of each, and how far off. */
async function after(spec: SpecInput, rows: readonly Row[], size: number) {
  const own = defineSpec(spec);
  const model = { name: own.model, ...(await compileModel(createWorld(own).engine, own)) };
  let parameters = model.initial;
  const said: number[] = [];
  for (let start = 0; start < rows.length; start += size) {
    const message = rows.slice(start, start + size);
    const learned = await learn(model, parameters, model.encoder.encode(message).samples);
    if (!learned.ok) throw new Error(learned.reason);
    said.push(...learned.predictions);
    parameters = learned.parameters;
  }
  const errors = rows.map(({ label }, i) => Math.abs((said[i] ?? Number.NaN) - label));
  return { parameters, said, errors };
}

type Row = { readonly features: Readonly<Record<string, number>>; readonly label: number };

const normalized = { type: 'adagrad', rate: 0.5, normalized: true } as const;

it('with `normalized`, how messages cut a stream changes no bit', async () => {
  const random = createRandom(5, 1);
  const rows = Array.from({ length: 120 }, (_, i): Row => {
    const [a, b] = [random.next() * (1 + i), random.next() - 0.5];
    return { features: { a, b }, label: 2 * a - b };
  });
  for (const standardize of ['maxAbs', 'minMax', 'robust', false] as const) {
    const number = { type: 'number' as const, standardize };
    const spec: SpecInput = {
      model: 'cut',
      task: 'regression',
      features: { a: number, b: standardize === false ? { type: 'number', halfLife: 9 } : number },
      network: { hidden: [] },
      optimizer: normalized,
      online: { minibatch: 4 },
    };
    const [few, many] = [await after(spec, rows, 4), await after(spec, rows, 40)];
    expect(many.parameters.tensors, String(standardize)).toEqual(few.parameters.tensors);
  }
});

it.each([
  ['is constant from some time on', (i: number, noise: number) => (i < 100 ? noise : 0)],
  ['has a trend', (i: number, noise: number) => i + noise],
])('with `normalized`, a model learns on where a column that forgets %s', async (_, columnAt) => {
  const random = createRandom(6, 1);
  const rows = Array.from({ length: 900 }, (__, i): Row => {
    const x = random.next() - 0.5;
    const features = { x, s: columnAt(i, random.next()) };
    return { features, label: (i < 600 ? 3 : -3) * x };
  });
  const s = { type: 'number', halfLife: 10 } as const;
  const spec: SpecInput = {
    model: 'forgets',
    task: 'regression',
    features: { s, x: { type: 'number' } },
    label: { standardize: false },
    network: { hidden: [] },
    optimizer: normalized,
    online: { minibatch: 1 },
  };
  const { errors } = await after(spec, rows, 1);
  const mean = errors.slice(-100).reduce((sum, each) => sum + each, 0) / 100;
  expect(mean).toBeLessThan(0.3);
});

it('with `normalized`, experts learn on behind an outlier, of which they see no more than 8', async () => {
  const random = createRandom(7, 1);
  const rows = Array.from({ length: 600 }, (_, i): Row => {
    const x = random.next() - 0.5;
    return { features: { x, s: i === 50 ? 1e9 : random.next() }, label: 3 * x };
  });
  const spec: SpecInput = {
    model: 'outlier',
    task: 'regression',
    features: { s: { type: 'number', standardize: 'robust' }, x: { type: 'number' } },
    network: { hidden: [] },
    optimizer: normalized,
    online: { minibatch: 1, experts: [{}, { rate: 0.1 }] },
  };
  const { errors } = await after(spec, rows, 1);
  expect(errors.slice(-100).reduce((sum, each) => sum + each, 0) / 100).toBeLessThan(0.3);
});
