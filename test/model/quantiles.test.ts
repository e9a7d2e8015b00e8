import { describe, expect, it } from 'vitest';
import { hashIntegers } from '../../lib/features/hash.ts';
import { learn } from '../../lib/model/learn.ts';
import { compileModel } from '../../lib/model/model.ts';
import { predict } from '../../lib/model/predict.ts';
import { newestRevision } from '../../lib/spec/revision.ts';
import { defineSpec, type SpecInput } from '../../lib/spec/spec.ts';
import { learnMessages } from '../bench/progressive.ts';
import { createWorld } from '../support/world.ts';

const drawn = (i: number, stream: number) => hashIntegers(i, stream) / 2 ** 32;

/** Labels by a number from 0 to 1, and by chance. */
const streams = {
  /** As uncertain as `x` is large: uniform from 100 x to 300 x. */
  'whose spread grows': (x: number, chance: number) => 100 * x + 200 * x * chance,
  /** Hardly any of it can be told by `x`. */
  'that is noise for the most part': (x: number, chance: number) => x + (0.2 + 3 * x) * chance,
  'that is noise alone': (_: number, chance: number) => chance,
};

function sampleOf(stream: keyof typeof streams, i: number) {
  const x = drawn(i, 1);
  return { features: { x }, label: streams[stream](x, drawn(i, 2)) };
}

/** The share of labels below what was predicted, late in a stream: where x is small, and large. */
async function coverage(stream: keyof typeof streams, own: Partial<SpecInput>) {
  const spec = defineSpec({
    model: 'm',
    task: 'regression',
    features: { x: { type: 'number' } },
    ...own,
  });
  const model = { name: 'm', ...(await compileModel(createWorld().engine, spec)) };
  let parameters = model.initial;
  const below = { narrow: [0, 0], wide: [0, 0] };
  for (let i = 0; i < 6_000; i += 10) {
    const samples = Array.from({ length: 10 }, (_, j) => sampleOf(stream, i + j));
    const encoded = model.encoder.encode(samples).samples;
    if (i >= 3_000) {
      const predictions = await predict(model, parameters, encoded);
      for (const [j, { features, label }] of samples.entries()) {
        const half = features.x < 0.5 ? below.narrow : below.wide;
        half[0] = (half[0] ?? 0) + Number(label < (predictions[j] ?? 0));
        half[1] = (half[1] ?? 0) + 1;
      }
    }
    const learned = await learn(model, parameters, encoded);
    if (!learned.ok) throw new Error(learned.reason);
    parameters = { ...parameters, ...learned.parameters };
  }
  return Object.values(below).map(([sum = 0, count = 1]) => sum / count);
}

const names = Object.keys(streams) as (keyof typeof streams)[];

describe('the loss of a quantile', () => {
  it.each(
    names.flatMap((stream) => [0.1, 0.5, 0.9].map((quantile) => [stream, quantile] as const)),
  )(
    'of a stream %s leaves a share of %s of the labels below, wherever they are',
    async (stream, quantile) => {
      const adam = await coverage(stream, {
        loss: { quantile },
        network: { hidden: [16] },
        optimizer: { type: 'adam', rate: 0.01 },
      });
      const experts = await coverage(stream, {
        loss: { quantile },
        online: { experts: 'default' },
      });
      for (const share of [...adam, ...experts])
        expect(Math.abs(share - quantile)).toBeLessThan(0.07);
    },
  );
});

/** Labels that features say nothing of, most of them 0, or some of them enormous. */
const heavy = {
  'mostly 0': (i: number) => (drawn(i, 3) < 0.9 ? 0 : 1 + drawn(i, 4)),
  'of a long tail': (i: number) => (1 - drawn(i, 3)) ** (-1 / 1.1),
};

/** The pinball loss of the latter half beside that of the quantile of all labels before. */
async function besideTheQuantile(
  labelOf: (i: number) => number,
  { quantile, size, revision = newestRevision }: Asked,
) {
  const declared = defineSpec({
    model: 'm',
    task: 'regression',
    features: { x: { type: 'number' } },
    loss: { quantile },
    network: { hidden: [16] },
    online: { experts: 'default' },
  });
  const model = {
    name: 'm',
    ...(await compileModel(createWorld().engine, { ...declared, revision })),
  };
  const count = 3_000;
  const rows = Array.from({ length: count }, (_, i) => ({
    features: { x: drawn(i, 1) },
    label: labelOf(i),
  }));
  const pinball = (label: number, said: number) =>
    Math.max(quantile * (label - said), (1 - quantile) * (said - label));
  const sums = { own: 0, usual: 0 };
  let seen: number[] = [];
  const { samples } = model.encoder.encode(rows);
  for await (const { message, learned } of learnMessages(model, samples, size)) {
    const usual = seen[Math.floor(quantile * seen.length)] ?? 0;
    message.labels.forEach((label, i) => {
      if (seen.length < count / 2) return;
      sums.own += pinball(label, learned.predictions[i] ?? 0);
      sums.usual += pinball(label, usual);
    });
    seen = [...seen, ...message.labels].sort((a, b) => a - b);
  }
  return sums.own / sums.usual;
}

type Asked = { readonly quantile: number; readonly size: number; readonly revision?: number };

describe('a quantile of labels that features say nothing of', () => {
  const each = Object.entries(heavy).flatMap(([name, labelOf]) =>
    [0.1, 0.5, 0.9, 0.99].flatMap((quantile) =>
      [10, 200].map((size) => ({ name, labelOf, quantile, size })),
    ),
  );
  it.each(each)(
    'is hardly worse than that of all before: $name, $quantile, $size',
    async (stream) => {
      expect(await besideTheQuantile(stream.labelOf, stream)).toBeLessThan(1.2);
    },
  );

  it('was, where it is said of one in a hundred, by the rules before', async () => {
    const asked = { quantile: 0.99, size: 10, revision: 18 };
    expect(await besideTheQuantile(heavy['mostly 0'], asked)).toBeGreaterThan(1.3);
  });
});
