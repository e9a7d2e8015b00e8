import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { bytesInMemory } from '../../lib/datasets/byte-source.ts';
import { readSamples } from '../../lib/datasets/read-samples.ts';
import { CellIndex } from '../../lib/features/cell-index.ts';
import { createEncoder } from '../../lib/features/encoder.ts';
import { PairCache } from '../../lib/features/pair-cache.ts';
import { defineSpec } from '../../lib/spec/spec.ts';
import { cell, columns, comparable, features, labels, oneByOne } from '../support/encodings.ts';

describe('samples that are encoded column by column', () => {
  it.each(Object.entries(labels))('are as they are one by one: rows, %s', async (_, declared) => {
    const spec = defineSpec({ model: 'm', ...declared });
    // Each of them remembers what it has read before.
    const [byColumn, byRow] = [createEncoder(spec), createEncoder(spec)];
    let rows = 0;
    const usual = ['1', '2', '7', '2024-02-01', '3', 'x', 'b', 'g', '2024-01-01', 'w', '2', '1'];
    const line = fc
      .tuple(fc.array(fc.tuple(fc.nat({ max: 12 }), cell), { maxLength: 3 }), cell)
      .map(([changes, weight]) => {
        const own = [...usual, /^[1-9]\d?$/.test(weight) ? weight : ''];
        for (const [place, changed] of changes) own[place] = changed;
        return own.join();
      });
    // Files of one dataset: some have other columns, and some a decimal comma.
    const file = fc.record({
      lines: fc.array(line, { minLength: 1, maxLength: 40, size: 'max' }),
      absent: fc.option(fc.constantFrom(...columns, 'label', 'weight'), { freq: 2 }),
      delimiter: fc.constantFrom(',', ',', ';'),
    });
    await fc.assert(
      fc.asyncProperty(file, async ({ lines, absent, delimiter }) => {
        const header = [...columns, 'label', 'weight'].map((name) =>
          name === absent ? `no ${name}` : name,
        );
        // A number of people who have a decimal comma, and a text of the others.
        const decimal = delimiter === ';' ? '1,5' : '"1,5"';
        const text = [header.join(), ...lines]
          .join('\n')
          .replaceAll(',', delimiter)
          .replaceAll('1§5', decimal);
        const body = { name: 'a.csv', bytes: bytesInMemory(Buffer.from(`${text}\n`)) };
        for await (const { samples } of readSamples(spec, body)) {
          const expected = comparable(oneByOne(byRow, samples));
          expect(comparable(byColumn.encode(samples))).toEqual(expected);
          rows += expected.accepted.length;
        }
      }),
      { numRuns: 400 },
    );
    expect(rows).toBeGreaterThan(500);
  });

  it.each(Object.entries(labels))('are as they are one by one: messages, %s', (_, declared) => {
    const spec = defineSpec({ model: 'm', ...declared, ignore: ['other'] });
    const [byColumn, byRow] = [createEncoder(spec), createEncoder(spec)];
    const value = fc.oneof(cell, fc.constantFrom(0, -0, 1.5, 7, 4e38, true, null, [], {}, 'x'));
    const change = fc.tuple(fc.constantFrom(...columns, 'other', 'stranger', '__proto__'), value);
    const usual = {
      n: 1,
      filled: 2,
      zeroed: 3,
      known: 'x',
      hashed: 'b',
      grown: 'g',
      when: 1e9,
      words: 'w',
      side: 2,
    };
    const sample = fc
      .tuple(fc.array(change, { maxLength: 2 }), value, fc.nat({ max: 9 }), fc.boolean())
      .map(([changes, label, choice, isShort]) => {
        const features = JSON.parse(JSON.stringify(usual));
        for (const [name, changed] of changes)
          Object.defineProperty(features, name, {
            value: changed,
            enumerable: true,
            configurable: true,
          });
        if (isShort && choice > 6) delete features.hashed;
        if (choice === 0) return { features, label: 1, weight: label };
        if (choice === 1) return { features, label, id: 'i' };
        return choice === 2 ? label : { features, label: choice < 6 ? choice % 2 : label };
      });
    let learnt = 0;
    fc.assert(
      fc.property(fc.array(sample, { minLength: 1, maxLength: 40, size: 'max' }), (samples) => {
        const expected = comparable(oneByOne(byRow, samples));
        expect(comparable(byColumn.encode(samples))).toEqual(expected);
        learnt += expected.accepted.length;
      }),
      { numRuns: 400 },
    );
    expect(learnt).toBeGreaterThan(500);
  });
});

describe('samples that are encoded column by column for too long', () => {
  it('are broken off before a cell that takes long, and leave no half answers', () => {
    const spec = defineSpec({ model: 'm', task: 'binary', features });
    const [encoder, other] = [createEncoder(spec), createEncoder(spec)];
    const samples = Array.from({ length: 40 }, (_, i) => ({
      features: {
        n: i,
        filled: i,
        known: 'x',
        hashed: `h${i}`,
        grown: 'g',
        words: `${i} `.repeat(40),
      },
      label: i % 2,
    }));
    let calls = 0;
    const breakingOff = (most: number) => () => {
      calls += 1;
      if (calls > most) throw new Error('too long');
    };
    encoder.encode(samples, breakingOff(Number.POSITIVE_INFINITY));
    const all = calls;
    expect(all).toBeGreaterThan(samples.length);
    for (let most = 0; most < all; most++) {
      calls = 0;
      const fresh = samples.map((sample) => ({
        ...sample,
        features: { ...sample.features, hashed: `${sample.features.hashed} ${most % 3}` },
      }));
      expect(() => encoder.encode(fresh, breakingOff(most))).toThrow('too long');
      expect(encoder.encode(fresh)).toEqual(other.encode(fresh));
    }
  });
});

describe('cells that have numbers', () => {
  it('have the same where their bytes are the same, whatever their length', () => {
    const index = new CellIndex();
    const known = new Map<string, number>();
    const key = fc.oneof(fc.string({ maxLength: 9 }), fc.constantFrom('', '\0', '\0\0', 'a'));
    fc.assert(
      fc.property(key, fc.integer({ min: 1, max: 8 }), (text, times) => {
        const bytes = Buffer.from(`..${text.repeat(times)}..`);
        const own = bytes.toString('latin1', 2, bytes.length - 2);
        const number = index.numberOf(bytes, 2, bytes.length - 2);
        expect(number).toBe(own.length > 64 ? -1 : (known.get(own) ?? known.size));
        if (number >= 0) known.set(own, number);
      }),
      { numRuns: 5_000 },
    );
    expect(index.size).toBe(known.size);
    expect(known.size).toBeGreaterThan(1_000);
  });

  it('are found at once where they are short', () => {
    const index = new CellIndex();
    const cell = fc.oneof(fc.string({ maxLength: 9 }), fc.constantFrom('', '\0', '\0\0', 'aaaa'));
    let found = 0;
    fc.assert(
      fc.property(fc.array(cell, { maxLength: 20 }), fc.nat(3), (cells, start) => {
        const bytes = Buffer.concat(cells.map((each) => Buffer.from(each)));
        let at = 0;
        const bounds = Int32Array.from(
          cells.flatMap((each) => {
            const from = at;
            at += Buffer.byteLength(each);
            return [-7, from, at];
          }),
        );
        const textOf = () => undefined;
        const own = { stride: 3, offset: 1, textOf, hasDecimalComma: false };
        const column = { kind: 'text' as const, bytes, bounds, ...own };
        const count = Math.max(0, cells.length - start);
        const into = new Int32Array(count);
        const known = index.find(column, { start, count }, into);
        expect(known).toBe(into.filter((each) => each >= 0).length);
        const { size } = index;
        for (let row = 0; row < count; row++) {
          const [from = 0, to = 0] = bounds.subarray(3 * (start + row) + 1);
          const number = index.numberOf(bytes, from, to);
          // A word near to the end of all bytes is not looked for.
          if (into[row] !== -1) expect(number).toBe(into[row]);
          else if (number >= 0 && number < size)
            expect(to - from > 7 || from + 8 > bytes.length).toBe(true);
        }
        found += known;
      }),
      { numRuns: 3_000 },
    );
    expect(found).toBeGreaterThan(3_000);
  });
});

describe('what came of pairs', () => {
  it('is kept until others take their place', () => {
    const cache = new PairCache(4);
    const values = new Map<string, number>();
    const small = fc.integer({ min: 0, max: 9 });
    let kept = 0;
    fc.assert(
      fc.property(small, small, fc.nat(), (first, second, value) => {
        const found = cache.get(first, second);
        if (found >= 0) {
          expect(found).toBe(values.get(`${first} ${second}`));
          kept += 1;
        }
        cache.set(first, second, value);
        values.set(`${first} ${second}`, value);
        expect(cache.get(first, second)).toBe(value);
      }),
      { numRuns: 2_000 },
    );
    expect(kept).toBeGreaterThan(100);
  });
});
