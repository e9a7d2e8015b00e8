import { describe, expect, it } from 'vitest';
import { bytesInMemory } from '../../lib/datasets/byte-source.ts';
import { draftSpec } from '../../lib/operations/draft-spec.ts';

const drafted = (name: string, lines: readonly string[], labels?: readonly string[]) =>
  draftSpec(
    'm',
    { name, bytes: bytesInMemory(Buffer.from(lines.join('\n'))) },
    labels && { labels },
  );

describe('what a draft doubts', () => {
  it.each([
    ['round ones', (i: number) => `${1 + i}.500`, true],
    ['beside whole ones', (i: number) => (i % 3 === 0 ? `${900 + i}` : `1.${100 + i}`), true],
    ['of a measure', (i: number) => `${1 + i}.${101 + ((i * 37) % 800)}`, false],
    ['shares', (i: number) => `0.${100 + i}`, false],
    ['a half among them', (i: number) => (i === 3 ? '2.5' : '1.500'), false],
  ])('are points that may be of thousands: %s', async (_name, price, isTold) => {
    const rows = Array.from({ length: 40 }, (_, i) => `${price(i)};${i % 2}`);
    const { doubts } = await drafted('a.csv', ['Preis;verkauft', ...rows]);
    expect(doubts.some((each) => /^Preis: .* are of thousands/.test(each))).toBe(isTold);
  });

  it('are times that are missing', async () => {
    const lines = Array.from({ length: 60 }, (_, i) => {
      const at = new Date(1.7e12 + 5e6 * i).toISOString();
      return JSON.stringify({ ...(i % 20 > 0 && { at }), y: i % 3 });
    });
    const { doubts } = await drafted('a.jsonl', lines, ['y']);
    expect(doubts).toContain('at: 3 missing values are learnt as the mean so far');
  });
});

describe('a file that no spec can be drafted from', () => {
  it('is told beside a line that cannot be read', async () => {
    const lines = ['{"x": 1, "y": 2}', '{"x": ', '{"x": 2, "y": 3}'];
    await expect(drafted('a.jsonl', lines, ['z'])).rejects.toThrow(
      /--label: the file has no column z .*; 1 of 3 rows, which cannot be read \(line 2: /,
    );
  });

  it('is told to have the label alone', async () => {
    await expect(drafted('a.csv', ['y', '1', '2'])).rejects.toThrow(
      'a.csv: it has no column beside the label to learn from',
    );
    await expect(drafted('a.csv', [',y', '1,1', '2,0'])).rejects.toThrow(
      'a.csv: no column is left to learn from (one without a name: its column has no name)',
    );
  });
});
