import { describe, expect, it } from 'vitest';
import { keys } from '../../lib/bucket/keys.ts';
import { showDataset } from '../../lib/operations/show-dataset.ts';
import { createWorld } from '../support/world.ts';

async function shown(files: Readonly<Record<string, string>>, named?: string) {
  const world = createWorld();
  for (const [name, text] of Object.entries(files))
    await world.store.put(keys.dataset('past') + name, Buffer.from(text));
  return showDataset(world, { dataset: 'past', files: named });
}

describe('what a dataset shows', () => {
  it('is the kind, the missing values and the distribution of each column', async () => {
    const { columns, ...counts } = await shown({
      'a.csv': 'city,price,good,when,empty\nBerlin,12.5,yes,2024-01-01,\nParis,,no,2024-01-02,\n"x',
      'b.jsonl': '{"city":"Berlin","price":-2,"good":true,"pixels":[1,2]}\n{"city":3}',
      _SUCCESS: '',
    });
    expect(counts).toEqual({ files: 2, rows: 4, refusedRows: 1 });
    expect(Object.fromEntries(columns.map(({ column, ...rest }) => [column, rest]))).toMatchObject({
      city: {
        kind: 'text',
        present: 4,
        distinct: 3,
        values: [{ value: 'Berlin', count: 2 }, { value: 'Paris' }, { value: '3' }],
      },
      price: { kind: 'number', present: 2, missing: 1, numbers: { least: -2, greatest: 12.5 } },
      good: { kind: 'true or false', present: 3 },
      when: {
        kind: 'time',
        present: 2,
        times: { least: '2024-01-01T00:00:00.000Z', greatest: '2024-01-02T00:00:00.000Z' },
      },
      empty: { kind: 'empty', present: 0, missing: 2 },
      pixels: { kind: 'vector', present: 1 },
    });
  });

  it('is that of some files alone', async () => {
    const files = { 'a1.csv': 'x\n1\n2', 'a2.csv': 'x\n3', 'b.csv': 'x\n4' };
    expect(await shown(files, 'a*')).toMatchObject({ files: 2, rows: 3 });
    await expect(shown(files, 'c*')).rejects.toThrow(/none of the 3 files of past is named "c\*"/);
  });

  it('draws numbers between their rare extremes, and knows their moments', async () => {
    const numbers = Array.from({ length: 30_000 }, (_, i) =>
      i === 7 ? 1e12 : (i * 7_919) % 1_200,
    );
    const { columns } = await shown({ 'a.csv': `x\n${numbers.join('\n')}` });
    const { histogram = [], greatest, mean } = columns[0]?.numbers ?? {};
    expect(greatest).toBe(1e12);
    expect(mean).toBeCloseTo(numbers.reduce((sum, each) => sum + each, 0) / numbers.length, -3);
    const all = histogram.reduce((sum, each) => sum + each, 0);
    expect(all).toBe(10_000);
    // Twelve intervals of an even distribution, with a standard deviation of 28 each.
    for (const each of histogram) expect(Math.abs(each - all / 12)).toBeLessThan(200);
  });

  it('knows what is most frequent among very many values, however late it comes', async () => {
    const values = Array.from({ length: 60_000 }, (_, i) => {
      const isLate = i > 45_000 && i % 3 > 0;
      return isLate ? 'late' : `id ${i}`;
    });
    const { columns } = await shown({ 'a.csv': `x\n${values.join('\n')}` });
    const count = values.filter((each) => each === 'late').length;
    expect(columns[0]).toMatchObject({
      kind: 'text',
      values: expect.arrayContaining([{ value: 'late', count }]),
    });
    expect(columns[0]).not.toHaveProperty('distinct');
  });

  it('is refused where there is no such dataset', async () => {
    await expect(showDataset(createWorld(), { dataset: 'past' })).rejects.toThrow(/past/);
  });
});
