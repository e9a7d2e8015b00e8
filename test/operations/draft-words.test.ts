import { describe, expect, it } from 'vitest';
import { bytesInMemory } from '../../lib/datasets/byte-source.ts';
import { readSamples } from '../../lib/datasets/read-samples.ts';
import { createEncoder } from '../../lib/features/encoder.ts';
import { draftSpec } from '../../lib/operations/draft-spec.ts';
import { defineSpec } from '../../lib/spec/spec.ts';

/** A draft of a column x beside a number and a label, and how many rows it refuses. */
async function draftOf(
  cell: (i: number) => unknown,
  label: (i: number) => unknown = (i) => i % 13,
) {
  const lines = Array.from({ length: 300 }, (_, i) => `"${cell(i)}",${(i * 37) % 101},${label(i)}`);
  const file = {
    name: 'a.csv',
    bytes: bytesInMemory(Buffer.from(`x,b,y\n${lines.join('\n')}\n`)),
  };
  const { spec, doubts, left } = await draftSpec('m', file);
  const declared = defineSpec(spec);
  const encoder = createEncoder(declared);
  let refused = 0;
  for await (const { samples } of readSamples(declared, file)) {
    refused += encoder.encode(samples).refused.length;
  }
  return {
    x: spec.features.x,
    task: spec.task,
    left: left.map(({ reason }) => reason).join(),
    doubts: doubts.join('\n'),
    refused,
  };
}

const at = (i: number) => new Date(1.7e12 + 3.6e6 * i);

describe('a draft of a column', () => {
  it.each<[string, (i: number) => unknown, object, RegExp]>([
    ['money by its code', (i) => `${i}.50 USD`, { type: 'number' }, /"0.50 USD" is 0.5/],
    [
      'several moneys',
      (i) => `${i}.5 ${i % 2 ? 'EUR' : 'USD'}`,
      { type: 'number' },
      /USD, EUR are alike/,
    ],
    [
      'negative ones in parentheses',
      (i) => (i % 3 ? `${i}` : `(${i + 1})`),
      { type: 'number' },
      /"\(1\)" is -1/,
    ],
    ['a minus that is none', (i) => `\u2212${i}.5`, { type: 'number' }, /is -0.5/],
    [
      'ids of 64 bits',
      (i) => 9_007_199_254_740_993n + BigInt(2 * (i % 40)),
      { type: 'category' },
      /like codes/,
    ],
    [
      'one word among numbers',
      (i) => (i % 5 ? i : 'n/k'),
      { type: 'number', missing: 'mean' },
      /60 of 300 values are no numbers \(n\/k\)/,
    ],
    [
      'words among numbers',
      (i) => (i % 3 ? i : `w${i % 2}`),
      { type: 'category' },
      /200 of 300 values are numbers/,
    ],
    [
      'truths in many spellings',
      (i) => ['yes', 'Y', '1', 'no', 'N', '0'][i % 6],
      { type: 'category' },
      /in 6 spellings \(yes, Y/,
    ],
    [
      'seconds among times',
      (i) => (i % 2 ? at(i).toISOString() : at(i).getTime() / 1_000),
      { type: 'timestamp' },
      /150 values are numbers, and learnt as seconds/,
    ],
    [
      'other numbers among times',
      (i) => (i % 9 ? at(i).toISOString() : 7),
      { type: 'timestamp' },
      /though 34 of them are hardly such/,
    ],
  ])('takes it as it is meant, and says so: %s', async (_, cell, feature, doubt) => {
    const { x, doubts, refused } = await draftOf(cell);
    expect(x).toMatchObject(feature);
    expect(doubts).toMatch(doubt);
    expect(refused).toBe(0);
  });

  it.each<[string, (i: number) => string, RegExp]>([
    [
      'of units',
      (i) => `${i}.5 kg`,
      /its numbers have units \("0.5 kg", "1.5 kg"\); to learn them/,
    ],
    ['of degrees north', (i) => `48.${1_000 + i}° N`, /its numbers have units/],
    ['of hours', (i) => `${i % 24}:${10 + (i % 50)}`, /its values are times of a day.*"0:10"/],
  ])('says how its values could be learnt: %s', async (_, cell, reason) => {
    const { left, refused } = await draftOf(cell);
    expect(left).toMatch(reason);
    expect(refused).toBe(0);
    const often = await draftOf((i) => cell(i % 40));
    expect(often.x).toMatchObject({ type: 'category' });
    expect(often.doubts).toMatch(reason);
    // (Few are rather names.)
    expect((await draftOf((i) => cell(i % 9))).doubts).not.toMatch(reason);
  });

  it('keeps a word among numbers that is a class of the label', async () => {
    const { x, refused } = await draftOf(
      (i) => (i % 5 ? i : 'low'),
      (i) => ['low', 'high', 'none at all'][i % 3],
    );
    expect(x).toMatchObject({ type: 'category' });
    expect(refused).toBe(0);
  });

  it.each([
    ['wahr', 'Falsch'],
    ['vrai', 'faux'],
    ['HAYIR', 'EVET'],
  ])('knows true and false by their words, in any letters: %s, %s', async (one, other) => {
    const { task, refused } = await draftOf(
      (i) => i,
      (i) => [one, other, one.toUpperCase(), other.toLowerCase()][i % 4],
    );
    expect([task, refused]).toEqual(['binary', 0]);
  });
});
