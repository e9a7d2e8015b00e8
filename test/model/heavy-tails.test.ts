import { describe, expect, it } from 'vitest';
import { createEngine } from '../../lib/engine/create-engine.ts';
import { hashIntegers } from '../../lib/features/hash.ts';
import { compileModel } from '../../lib/model/model.ts';
import { type Expert, isOfNeighbours, isOfTrees } from '../../lib/spec/experts-schema.ts';
import { newestRevision } from '../../lib/spec/revision.ts';
import { defineSpec, type SpecInput } from '../../lib/spec/spec.ts';
import { learnMessages } from '../bench/progressive.ts';

const engine = createEngine({ threads: 1, warn: () => undefined });
const columns = {
  model: 'claims',
  task: 'regression',
  features: { a: { type: 'number' }, b: { type: 'number' } },
  network: { hidden: [32] },
} satisfies SpecInput;
const declared = defineSpec({ ...columns, online: { experts: 'default' } });
/** From 0 to 1, without 1. */
const draw = (...place: number[]) => hashIntegers(5, ...place) / 2 ** 32;

/** Labels that features say nothing of, a few of them enormous. */
const streams: Readonly<Record<string, (i: number) => number>> = {
  'mostly nothing, else anything': (i) => (draw(i, 1) < 0.95 ? 0 : 40 / (1 - draw(i, 2)) ** 1.2),
  'a long tail': (i) => 1 / (1 - draw(i, 2)) ** 1.5,
  'an enormous label in a hundred': (i) => draw(i, 2) + (draw(i, 1) < 0.01 ? 1e6 : 0),
};

/** Labels that are 0 most of the time, of which features say nothing. */
const rareLabels: Readonly<Record<string, (i: number) => number>> = {
  'one in twenty': (i) => Number(draw(i, 5) < 0.05),
  'one in ten': (i) => Number(draw(i, 5) < 0.1),
  'an amount in ten': (i) => (draw(i, 5) < 0.1 ? 1 + draw(i, 6) : 0),
};

/** A stream, and how it is learnt. */
type Learning = { readonly size: number; readonly revision: number; readonly count?: number };

/**
 * Errors of a stream's predictions beside those of the mean of what came before, and the sum of
 * predictions beside that of labels, as shares.
 */
async function besideTheMean(
  labelOf: (i: number) => number,
  { size, revision, count = 2_000 }: Learning,
) {
  const { online } = declared;
  // (Those of before 0.38 had none of neighbours, and none of trees.)
  const isOfThen = (each: Expert) =>
    revision === newestRevision || !(isOfNeighbours(each) || isOfTrees(each));
  const experts = online.experts?.filter(isOfThen);
  const spec = { ...declared, revision, online: { ...online, experts } };
  const model = { name: 'claims', ...(await compileModel(engine, spec)) };
  const rows = Array.from({ length: count }, (_, i) => ({
    features: { a: draw(i, 3), b: draw(i, 4) },
    label: labelOf(i),
  }));
  const { samples } = model.encoder.encode(rows);
  const sums = { own: 0, ownSquares: 0, mean: 0, meanSquares: 0, said: 0 };
  let [total, seen] = [0, 0];
  for await (const { message, learned } of learnMessages(model, samples, size)) {
    const mean = seen === 0 ? 0 : total / seen;
    message.labels.forEach((label, i) => {
      const said = learned.predictions[i] ?? 0;
      const [own, usual] = [said - label, mean - label];
      sums.said += said;
      sums.own += Math.abs(own);
      sums.ownSquares += own * own;
      sums.mean += Math.abs(usual);
      sums.meanSquares += usual * usual;
      total += label;
    });
    seen += message.count;
  }
  return {
    absolute: sums.own / sums.mean,
    squared: sums.ownSquares / sums.meanSquares,
    summed: sums.said / total,
  };
}

describe('the default experts, where a few labels are enormous', () => {
  const each = Object.entries(streams).flatMap(([name, labelOf]) =>
    [1, 10, 100].map((size) => ({ name, labelOf, size })),
  );
  it.each(each)('are not worse than the mean: $name, $size a message', async (stream) => {
    for (const revision of [10, newestRevision]) {
      const { size } = stream;
      const { absolute, squared } = await besideTheMean(stream.labelOf, { size, revision });
      expect(absolute).toBeLessThan(1.1);
      expect(squared).toBeLessThan(1.1);
    }
  });

  it('were, by the rules before', async () => {
    const { squared } = await besideTheMean(
      streams['an enormous label in a hundred'] ?? (() => 0),
      { size: 10, revision: 9 },
    );
    expect(squared).toBeGreaterThan(1.2);
  });
});

describe('the default experts, where most labels are 0', () => {
  const each = Object.entries(rareLabels).flatMap(([name, labelOf]) =>
    [20, 100, 500].map((size) => ({ name, labelOf, size })),
  );
  const count = 5_000;
  it.each(each)('say what they are on average: $name, $size a message', async (stream) => {
    const { size, labelOf } = stream;
    const own = await besideTheMean(labelOf, { size, revision: newestRevision, count });
    expect(own.squared).toBeLessThan(1.05);
    expect(own.summed).toBeGreaterThan(0.7);
    expect(own.summed).toBeLessThan(1.3);
  });

  it('said next to nothing, as the last one does, by the rules before', async () => {
    const own = { size: 20, revision: 18, count };
    const { summed } = await besideTheMean(rareLabels['one in twenty'] ?? (() => 0), own);
    expect(summed).toBeLessThan(0.3);
  });
});

it.each([0, 1, 2, 3, 4])('experts may be listed in any order: %i', async (turn) => {
  const listed = [
    { hidden: [4], rate: 0.3 },
    { hidden: [], rate: 0.1 },
    { predicts: 'prior' as const },
    { predicts: 'stack' as const },
    { predicts: 'lastLabel' as const },
  ];
  const experts = [...listed.slice(turn), ...listed.slice(0, turn)];
  const model = {
    name: 'claims',
    ...(await compileModel(engine, defineSpec({ ...columns, online: { experts } }))),
  };
  const rows = Array.from({ length: 400 }, (_, i) => ({
    features: { a: draw(i, 3), b: draw(i, 4) },
    label: Number(draw(i, 5) < 0.1),
  }));
  const { samples } = model.encoder.encode(rows);
  for await (const { learned } of learnMessages(model, samples, 40))
    expect([...learned.predictions].every(Number.isFinite)).toBe(true);
});
