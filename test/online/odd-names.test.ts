import { describe, expect, it } from 'vitest';
import { readEntry } from '../../lib/journal/reading.ts';
import { prepareRetraction } from '../../lib/operations/prepare-retraction.ts';
import { verifyModel } from '../../lib/operations/verify.ts';
import { openModel } from '../../lib/serving/open-model.ts';
import type { SpecInput } from '../../lib/spec/spec.ts';
import { change, command, worldWith } from '../support/changed.ts';
import { deliver, foldJournal, message, modelOf } from '../support/world.ts';

const [length, sort, two] = ['petal length (cm)', 'Sorte/„ü“ 🙂', '2'] as const;
const mean = { type: 'targetMean' as const, of: [sort] };
const odd: SpecInput = {
  model: 'tickets',
  task: 'binary',
  features: {
    [length]: { type: 'number' },
    [sort]: { type: 'category', vocabulary: { size: 2, admitAfter: 1, expireAfter: 9 } },
    [two]: { type: 'category', buckets: 20_000, dimensions: 2 },
    'both: a × b': { type: 'cross', of: [sort, two] },
    constructor: mean,
  },
  label: { name: 'is it?' },
  network: { hidden: [4], wide: true },
  ignore: 'others',
};

const samplesFrom = (first: number) =>
  Array.from({ length: 4 }, (_, i) => ({
    features: {
      [length]: first + i / 3,
      [sort]: `v${(first * i) % 5}`,
      [two]: i,
      hasOwnProperty: [],
      'a stranger': first,
    },
    label: (first + i) % 2 === 0,
  }));
const messages = Array.from({ length: 8 }, (_, i) =>
  message(i + 1, JSON.stringify({ samples: samplesFrom(i) })),
);

describe('features of any name', () => {
  it('are learnt, verified, retracted, changed and asked as others are', async () => {
    const world = await worldWith(odd, messages);
    const model = await modelOf(world);
    expect(await verifyModel(world, model, true)).toMatchObject({ isSame: true });
    const { learnt } = await foldJournal(world);
    expect(learnt).toBe(32);
    const predictor = await openModel(world, odd.model);
    const answer = await predictor.predict(samplesFrom(3));
    const predictions = answer.ok ? answer.predictions : [];
    expect(predictions).toHaveLength(4);
    expect(predictions.some((each) => 'refused' in each)).toBe(false);
    await change(world, { ...odd, network: { hidden: [3] } });
    const retraction = { messages: [messages[1]?.id ?? ''], samples: [] };
    const { retract } = await prepareRetraction(world, await modelOf(world), retraction);
    await deliver(world, [command({ retract })]);
    const entry = await readEntry(world.store, odd.model, 10);
    expect(entry?.header).toMatchObject({ kind: 'retract', from: 2 });
    expect(await verifyModel(world, await modelOf(world), true)).toMatchObject({ isSame: true });
  });
});
