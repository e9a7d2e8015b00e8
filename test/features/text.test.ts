import { execFileSync, spawnSync } from 'node:child_process';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createEncoder } from '../../lib/features/encoder.ts';
import { murmurHash3 } from '../../lib/features/hash.ts';
import { defineSpec, type SpecInput } from '../../lib/spec/spec.ts';

type TextInput = Extract<SpecInput['features'][string], { type: 'text' }>;

/** What a feature makes of texts, row by row. */
function hashed(feature: TextInput, texts: readonly unknown[]): number[][] {
  const spec = defineSpec({ model: 'notes', task: 'binary', features: { note: feature } });
  const { samples, refused } = createEncoder(spec).encodeFeatures(
    texts.map((note) => ({ features: { note } })),
  );
  expect(refused).toEqual([]);
  const width = samples.raw.length / texts.length;
  return texts.map((_, row) => [...samples.raw.subarray(row * width, (row + 1) * width)]);
}

/** Those that are not 0, by their places. */
const found = (row: readonly number[] = []) =>
  Object.fromEntries([...row.entries()].filter(([, value]) => value !== 0));

const python = ['/usr/bin/python3', 'python3'].find(
  (command) => spawnSync(command, ['-c', 'import sklearn']).status === 0,
);

/** What scikit-learn makes of texts. @param log whether of counts their logarithm is taken */
function vectorized(texts: readonly string[], options: string, log = false): number[][] {
  const program = `
import json, sys
import numpy as np
from sklearn.feature_extraction.text import HashingVectorizer
from sklearn.preprocessing import normalize
vectorizer = HashingVectorizer(${options})
rows = vectorizer.transform(json.load(sys.stdin)).toarray()
if ${log ? 'True' : 'False'}:
    rows = normalize(np.sign(rows) * np.log1p(np.abs(rows)))
print(json.dumps(rows.tolist()))`;
  const input = JSON.stringify(texts);
  return JSON.parse(execFileSync(python ?? '', ['-c', program], { input, encoding: 'utf8' }));
}

describe('a text', () => {
  it('is hashed as MurmurHash3 does it', () => {
    // Of the reference implementation, with the seed 0.
    expect(murmurHash3('')).toBe(0);
    expect(murmurHash3('hello')).toBe(0x248bfa47);
    expect(murmurHash3('hello, world')).toBe(0x149bbb7f);
    expect(murmurHash3('The quick brown fox jumps over the lazy dog')).toBe(0x2e4ff723);
  });

  it('is its words, whatever their case and order', () => {
    const note: TextInput = { type: 'text', buckets: 64 };
    const [one, other, none, missing] = hashed(note, [
      'Late, as usual!',
      'USUAL as late',
      '',
      null,
    ]);
    expect(one).toEqual(other);
    expect(Object.keys(found(one))).toHaveLength(3);
    expect(one?.reduce((sum, value) => sum + value ** 2, 0)).toBeCloseTo(1, 6);
    expect(found(none)).toEqual({});
    expect(found(missing)).toEqual({});
    const pairs = hashed({ ...note, words: [1, 2] }, ['late as usual', 'usual as late']);
    expect(pairs[0]).not.toEqual(pairs[1]);
  });

  it('says hardly more by what it says again and again, where logarithms are taken', () => {
    const texts = ['good bad', 'good good good good good good good bad'];
    const shareOfGood = (feature: TextInput) =>
      hashed(feature, texts).map((row) => Math.max(...row.map(Math.abs)));
    const [once, often] = shareOfGood({ type: 'text', buckets: 64 });
    const [onceInLog, oftenInLog] = shareOfGood({ type: 'text', buckets: 64, log: true });
    expect(onceInLog).toBe(once);
    expect(often).toBeCloseTo(7 / Math.hypot(7, 1), 6);
    expect(oftenInLog).toBeCloseTo(Math.log(8) / Math.hypot(Math.log(8), Math.log(2)), 6);
  });

  it('is refused where it is none', () => {
    const features: SpecInput['features'] = { note: { type: 'text' } };
    const encoder = createEncoder(defineSpec({ model: 'notes', task: 'binary', features }));
    const samples = [{ note: ['a'] }, { note: {} }, { note: 7 }, {}].map((each) => ({
      features: each,
      label: true,
    }));
    const { refused, accepted } = encoder.encode(samples);
    expect([...accepted]).toEqual([2, 3]);
    expect(refused.map(({ field, code }) => `${field} ${code}`)).toEqual([
      'features.note wrong-type',
      'features.note wrong-type',
    ]);
    expect(() =>
      defineSpec({
        model: 'n',
        task: 'binary',
        features: { note: { type: 'text', words: [2, 1] } },
      }),
    ).toThrow('features.note.words: must be the smallest size, then the largest');
  });

  it.skipIf(python === undefined)('has the numbers that scikit-learn gives it', () => {
    // (Which letters there are depends on the Unicode of either: none of its last years.)
    const unit = fc.constantFrom(...'abcXYZ éßÄ日本語жщ \t\n,.-_019\'"😀');
    const texts = fc.sample(fc.string({ unit, maxLength: 60 }), { numRuns: 100, seed: 3 });
    texts.push(
      'The QUICK brown fox; the lazy dog!',
      "it's under_score 12 345",
      '日本語 の テキスト',
    );
    const kinds: [feature: Omit<TextInput, 'type'>, options: string][] = [
      [{ buckets: 16 }, 'n_features=16'],
      [{ buckets: 256, words: [1, 2] }, 'n_features=256, ngram_range=(1, 2)'],
      [
        { buckets: 99, characters: [2, 4] },
        "n_features=99, analyzer='char_wb', ngram_range=(2, 4)",
      ],
      [
        { buckets: 16, characters: [1, 1], log: true },
        "n_features=16, analyzer='char_wb', norm=None",
      ],
    ];
    for (const [feature, options] of kinds) {
      const own = hashed({ type: 'text', ...feature }, texts);
      vectorized(texts, options, feature.log).forEach((row, i) => {
        row.forEach((value, k) => {
          expect(own[i]?.[k], JSON.stringify(texts[i])).toBeCloseTo(value, 6);
        });
      });
    }
  });
});
