import { describe, expect, it } from 'vitest';
import { createEngine } from '../../lib/engine/create-engine.ts';
import { hashIntegers } from '../../lib/features/hash.ts';
import { type EncodedSamples, sliceSamples } from '../../lib/features/samples.ts';
import { lossesOf } from '../../lib/metrics/scores.ts';
import { learn } from '../../lib/model/learn.ts';
import { compileModel, initialState, type Model } from '../../lib/model/model.ts';
import { predict } from '../../lib/model/predict.ts';
import { defineSpec, type SpecInput } from '../../lib/spec/spec.ts';
import type { Parameters } from '../../lib/state/state.ts';

const engine = createEngine({ threads: 1, warn: () => undefined });
const uniform = (...place: number[]) => hashIntegers(31, ...place) / 2 ** 32;
const number = { type: 'number' } as const;
const change = 1_500;
const count = 2_500;

type Stream = Pick<SpecInput, 'task' | 'features' | 'label'> & {
  readonly sample: (i: number, isOther: boolean) => { features: object; label: unknown };
  /** Whether it is found at once; a network has learnt what SEA has become within 60 samples. */
  readonly isPlain: boolean;
  /** What a model that adapts loses afterwards at most, for what one that does not loses. */
  readonly most: number;
};

/** The segments of the digits 0 to 9 (Breiman et al. 1984), seven each. */
const digits = [0x77, 0x12, 0x5d, 0x5b, 0x3a, 0x6b, 0x6f, 0x52, 0x7f, 0x7b];

/** Streams that become others at once. */
const streams: Readonly<Record<string, Stream>> = {
  'SEA: a threshold moves (Street and Kim 2001)': {
    isPlain: false,
    most: 1.05,
    task: 'binary',
    features: { a: number, b: number, c: number },
    sample(i, isOther) {
      const [a = 0, b = 0, c = 0] = [0, 1, 2].map((k) => 10 * uniform(i, k));
      const label = a + b <= (isOther ? 13 : 8) !== uniform(i, 9) < 0.1;
      return { features: { a, b, c }, label };
    },
  },
  'a hyperplane turns (Hulten et al. 2001)': {
    isPlain: true,
    most: 1.05,
    task: 'binary',
    features: { a: number, b: number, c: number, d: number },
    sample(i, isOther) {
      const [a = 0, b = 0, c = 0, d = 0] = [0, 1, 2, 3].map((k) => uniform(i, k) - 0.5);
      const height = isOther ? -a + 0.5 * b + c + d : a + b - c;
      return { features: { a, b, c, d }, label: height > 0 !== uniform(i, 9) < 0.05 };
    },
  },
  'LED: segments change places (Breiman et al. 1984)': {
    isPlain: true,
    most: 0.9,
    task: 'multiclass',
    label: { classes: digits.map((_, digit) => String(digit)) },
    features: Object.fromEntries(Array.from({ length: 12 }, (_, k) => [`s${k}`, number])),
    sample(i, isOther) {
      const digit = Math.floor(10 * uniform(i, 50));
      const lit = (k: number) =>
        k < 7
          ? (((digits[digit] ?? 0) >> k) & 1) ^ Number(uniform(i, k) < 0.1)
          : Number(uniform(i, k) < 0.5);
      const places = Array.from({ length: 12 }, (_, k) => (isOther ? (k + 5) % 12 : k));
      const features = Object.fromEntries(places.map((place, k) => [`s${place}`, lit(k)]));
      return { features, label: String(digit) };
    },
  },
  'a regression has other slopes': {
    isPlain: true,
    most: 0.3,
    task: 'regression',
    features: { a: number, b: number },
    sample(i, isOther) {
      const [a, b] = [uniform(i, 0), uniform(i, 1)];
      const label = (isOther ? 5 - 2 * a + 4 * b : 3 * a + b) + 0.1 * uniform(i, 2);
      return { features: { a, b }, label };
    },
  },
};

/** The loss of each sample before it was learnt, and where changes were found. */
async function learnt(spec: SpecInput, samples: readonly unknown[], size: number) {
  const model: Model = { name: 'm', ...(await compileModel(engine, defineSpec(spec))) };
  const { samples: encoded } = model.encoder.encode(samples);
  let parameters: Parameters = initialState(model);
  const losses: number[] = [];
  const found = new Set<number>();
  for (let start = 0; start < encoded.count; start += size) {
    const message: EncodedSamples = sliceSamples(
      encoded,
      start,
      start + size,
      model.encoder.layout,
    );
    const predictions = await predict(model, parameters, message);
    losses.push(...lossesOf(model.spec, predictions, message.labels));
    const learned = await learn(model, parameters, message);
    if (!learned.ok) throw new Error(learned.reason);
    ({ parameters } = learned);
    const { last = 0 } = parameters.drift ?? {};
    if (last > 0) found.add(last);
  }
  return { losses, found: [...found], usual: parameters.drift?.labels[0]?.distance ?? 0 };
}

const mean = (values: readonly number[]) => values.reduce((a, b) => a + b, 0) / values.length;
const network = { hidden: [32] };
const plain = {};
const experts = { experts: 'default' as const };
const falling = {
  optimizer: { type: 'sgd', rate: 0.1 },
  schedule: { type: 'exponential', steps: 300, factor: 0.5 },
} as const;
type Learner = NonNullable<SpecInput['online']> & Pick<SpecInput, 'optimizer'>;

describe.each(Object.entries(streams))('%s', (_, { sample, isPlain, most, ...declared }) => {
  const samples = Array.from({ length: count }, (_each, i) => sample(i, i >= change));

  it.each([1, 10, 100])('is found soon, and only then, in messages of %i', async (size) => {
    const online = { drift: { policy: 'alarm' as const } };
    const spec: SpecInput = { model: 'm', ...declared, network, online };
    const { found } = await learnt(spec, samples, size);
    if (isPlain) expect(found).not.toEqual([]);
    expect(found.filter((last) => last <= change || last > change + 300)).toEqual([]);
  });

  it.each([1, 100])('is found by Page and Hinkley, in messages of %i', async (size) => {
    const online = { drift: { policy: 'alarm' as const, pageHinkley: {} } };
    const spec: SpecInput = { model: 'm', ...declared, network, online };
    const { found } = await learnt(spec, samples, size);
    if (isPlain) expect(found).not.toEqual([]);
    expect(found.filter((last) => last <= change || last > change + 700)).toEqual([]);
  });

  it.each([
    [10, 'a network', plain],
    [100, 'a network', plain],
    [10, 'the default experts', experts],
    [10, 'adam', { optimizer: { type: 'adam', rate: 0.01 } }],
    [10, 'descent by a falling rate', falling],
  ] as const)(
    'is learnt anew at least as fast, in messages of %i, by %s',
    async (size, _name, of) => {
      const lossAfter = async (drift: Pick<Learner, 'drift'>) => {
        const { optimizer, ...online }: Learner = of;
        const tuned = optimizer && { optimizer };
        const own = { ...online, ...drift };
        const spec: SpecInput = { model: 'm', ...declared, network, ...tuned, online: own };
        const { losses } = await learnt(spec, samples, size);
        return mean(losses.slice(change + 200, change + 700));
      };
      // (What forgets by itself gains less, and so do experts of which one does.)
      const others = 'experts' in of ? Math.max(most, 0.95) : most;
      const bound = 'optimizer' in of ? 1.05 : others;
      expect(await lossAfter({ drift: {} })).toBeLessThan(bound * (await lossAfter({})));
    },
  );
});

describe('a model that watches its stream', () => {
  const online = { drift: { policy: 'alarm' as const } };
  const slopes = streams['a regression has other slopes'];
  if (slopes === undefined) throw new Error('no such stream');

  it('measures errors by what is usual, whatever a wild label is', async () => {
    const { sample, features } = slopes;
    const spec: SpecInput = { model: 'm', task: 'regression', features, network, online };
    const usualWith = async (label: number) => {
      const samples = Array.from({ length: 1_000 }, (_, i) => sample(i, false));
      samples[500] = { ...sample(500, false), label };
      return (await learnt(spec, samples, 10)).usual;
    };
    const usual = await usualWith(2);
    expect(usual).toBeGreaterThan(0.5);
    for (const wild of [1e6, -3e38]) {
      expect(await usualWith(wild)).toBeLessThan(1.1 * usual);
      expect(await usualWith(wild)).toBeGreaterThan(0.9 * usual);
    }
  });

  it('takes larger steps for a while, if its spec says so', async () => {
    const { sample, features } = slopes;
    const samples = Array.from({ length: count }, (_, i) => sample(i, i >= change));
    const optimizer = { type: 'sgd', rate: 0.005 } as const;
    const of = (raise?: { factor: number; samples?: number }) => {
      const drift = { policy: 'alarm' as const, ...(raise && { raise }) };
      const spec: SpecInput = { model: 'm', task: 'regression', features, optimizer };
      return learnt({ ...spec, network: { hidden: [] }, online: { drift } }, samples, 10);
    };
    const [plainly, once, raised] = [
      await of(),
      await of({ factor: 1 }),
      await of({ factor: 10, samples: 300 }),
    ];
    expect(once.losses).toEqual(plainly.losses);
    const [first = 0] = raised.found;
    expect(first).toBeGreaterThan(change);
    // Nothing is different before, nor on the message that brought it; then it learns anew sooner.
    expect(raised.losses.slice(0, first)).toEqual(plainly.losses.slice(0, first));
    const lossAfter = ({ losses }: typeof raised) => mean(losses.slice(first, change + 700));
    expect(lossAfter(raised)).toBeLessThan(0.5 * lossAfter(plainly));
  });

  it.each([1, 100])(
    'finds nothing where a rare class is as rare as it was, in messages of %i',
    async (size) => {
      const features = { a: number, b: number };
      const rare = (i: number, seed: number) => {
        const label = uniform(seed, i, 7) < 0.02;
        const at = (k: number) =>
          [0, 1, 2, 3].reduce((sum, j) => sum + uniform(seed, i, k, j) - 0.5, Number(label));
        return { features: { a: at(0), b: at(1) }, label };
      };
      for (const seed of [1, 2]) {
        const samples = Array.from({ length: 2_500 }, (_, i) => rare(i, seed));
        const label = { classWeights: 'balanced' as const };
        const spec: SpecInput = { model: 'm', task: 'binary', features, label, network, online };
        expect((await learnt(spec, samples, size)).found).toEqual([]);
      }
    },
  );
});
