import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { bytesInMemory } from '../../lib/datasets/byte-source.ts';
import { readSamples } from '../../lib/datasets/read-samples.ts';
import { createEncoder } from '../../lib/features/encoder.ts';
import {
  type NumberStyle,
  numberStyles,
  writtenNumberReader,
} from '../../lib/features/written-number.ts';
import { defineSpec } from '../../lib/spec/spec.ts';

/** How a number is written, by an implementation of its own. */
function written(value: number, style: NumberStyle, isGrouped: boolean): string {
  const [between, point] = [style[1] ?? '', style.at(-2)];
  const [whole = '', rest] = Math.abs(value).toFixed(2).replace(/\.00$/, '').split('.');
  const groups = whole.replace(/\B(?=(\d{3})+$)/g, isGrouped ? between : '');
  return `${value < 0 ? '-' : ''}${groups}${rest === undefined ? '' : `${point}${rest}`}`;
}

describe('numbers as people write them', () => {
  it.each(numberStyles)('are read back: %s', (style) => {
    const read = writtenNumberReader(style);
    const number = fc.integer({ min: -1e11, max: 1e11 }).map((cents) => cents / 100);
    fc.assert(
      fc.property(number, fc.boolean(), fc.nat({ max: 5 }), (value, isGrouped, sign) => {
        const text = written(value, style, isGrouped);
        const all = [text, `$${text}`, `€ ${text}`, `${text}%`, `${text} €`, `+${text}`];
        if (sign === 5 && value < 0) return;
        expect(read(all[sign] ?? '')).toBe(value);
      }),
    );
  });

  it.each<[NumberStyle, string, number | undefined]>([
    ['1,234.5', '1,234', 1_234],
    ['1,234.5', '-$1,234,567.89', -1_234_567.89],
    ['1,234.5', '$-5', -5],
    ['1,234.5', '.5', 0.5],
    ['1,234.5', '5.', 5],
    ['1,234.5', '1e3', 1_000],
    ['1,234.5', '12,34', undefined],
    ['1,234.5', '1234,567', undefined],
    ['1,234.5', '1,2345', undefined],
    ['1,234.5', '-+5', undefined],
    ['1,234.5', '.', undefined],
    ['1,234.5', '', undefined],
    ['1,234.5', '$', undefined],
    ['1,234.5', '5 kg', undefined],
    ['1,234.5', '32.10 USD', 32.1],
    ['1,234.5', 'CHF 1,032', 1_032],
    ['1,234.5', 'ABC 12', undefined],
    ['1,234.5', '$5 USD', undefined],
    ['1,234.5', '21.5°C', 21.5],
    ['1,234.5', '\u22123.5', -3.5],
    ['1,234.5', '(3.00)', -3],
    ['1,234.5', '($1,200)', -1_200],
    ['1,234.5', '(-3)', undefined],
    ['1,234.5', '(3', undefined],
    ['1.234,5', '\u22121.234,50 zł', -1_234.5],
    ['1,234.5', `1${'1'.repeat(10_000)} x`, undefined],
    ['1.234,5', '1.234', 1_234],
    ['1.234,5', '1.5', undefined],
    ['1.234,5', '1.234,56 €', 1_234.56],
    ['1 234,5', '1\u00a0234\u202f567,5', 1_234_567.5],
    ["1'234.5", '1’234.5', 1_234.5],
  ])('are what they are: %s, %s', (style, text, value) => {
    expect(writtenNumberReader(style)(text)).toBe(value);
  });

  it.each([
    [',', '1,234.5', ['"1,234.5"', '12', '"$7,000"', '5.25', ' 1e2 ', 'TRUE']],
    [';', '1.234,5', ['1.234,5', '12', '7.000 €', '5,25', ' 1e2 ', 'TRUE']],
    [';', '1,234.5', ['1,234.5', '12', '$7,000', '5.25', ' 1e2 ', 'TRUE']],
  ] as const)(
    'are read alike from files and messages: %s %s',
    async (delimiter, numbers, cells) => {
      const spec = defineSpec({
        model: 'm',
        task: 'regression',
        features: { x: { type: 'number' }, k: { type: 'category', values: ['1,5'] } },
        label: { name: 'y' },
        cells: { numbers },
      });
      // Enough of them that columns are read by themselves.
      const rows = Array.from({ length: 24 }, (_, i) => cells[i % cells.length] ?? '');
      const lines = rows.map((cell) => [cell, '"1,5"', cell, cell].join(delimiter));
      const text = [['x', 'k', 'y', 'weight'].join(delimiter), ...lines].join('\n');
      const values = [1_234.5, 12, 7_000, 5.25, 100, 1];
      const expected = rows.map((_, i) => values[i % values.length]);
      const encoder = createEncoder(spec);
      for await (const { samples } of readSamples(spec, {
        name: 'a.csv',
        bytes: bytesInMemory(Buffer.from(`${text}\n`)),
      }))
        for (const own of [samples, [...samples], JSON.parse(JSON.stringify([...samples]))]) {
          const { samples: encoded, refused } = encoder.encode(own);
          expect(refused).toEqual([]);
          expect([...encoded.raw]).toEqual(expected);
          expect([...encoded.labels]).toEqual(expected);
          expect([...encoded.weights]).toEqual(expected);
        }
    },
  );
});
