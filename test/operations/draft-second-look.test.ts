import { describe, expect, it } from 'vitest';
import { bytesInMemory } from '../../lib/datasets/byte-source.ts';
import { hashIntegers } from '../../lib/features/hash.ts';
import { draftSpec } from '../../lib/operations/draft-spec.ts';
import { draw } from '../engine/samples.ts';

/** What is drafted of a file of these columns, the last of which is the label. */
async function drafted(header: string, rows: readonly (readonly unknown[])[]) {
  const text = [header, ...rows.map((row) => row.join())].join('\n');
  return draftSpec('m', { name: 'a.csv', bytes: bytesInMemory(Buffer.from(text)) });
}

const rowsOf = (count: number, row: (i: number) => readonly unknown[]) =>
  Array.from({ length: count }, (_, i) => row(i));

/** A number from 0 to `below` that nothing tells. */
const any = (below: number, ...at: readonly number[]) => hashIntegers(...at) % below;

describe('whole numbers', () => {
  const noise = (i: number) => draw(i, 7) / 4;
  const effects = Array.from({ length: 60 }, (_, store) => 3 * draw(store, 1));

  it('are codes where values say more of the label than their neighbours do', async () => {
    const rows = rowsOf(2_000, (i) => {
      const [store, age] = [any(60, i, 1), any(60, i, 2)];
      return [1_000 + 7 * store, age, 1e9 + (effects[store] ?? 0) + age / 20 + noise(i)];
    });
    const { spec, doubts } = await drafted('store,age,sales', rows);
    expect(spec.features.store).toMatchObject({ type: 'category' });
    expect(spec.features.age).toEqual({ type: 'number' });
    expect(doubts.join('\n')).toContain(
      'store: its whole numbers say more of the label one by one',
    );
  });

  it('are codes of classes, too', async () => {
    const rows = rowsOf(2_000, (i) => {
      const store = any(60, i, 1);
      return [store, any(60, i, 2), (effects[store] ?? 0) + 2 * draw(i, 5) > 0 ? 'up' : 'down'];
    });
    const { spec } = await drafted('store,age,way', rows);
    expect(spec.features.store).toMatchObject({ type: 'category' });
    expect(spec.features.age).toEqual({ type: 'number' });
  });

  it('are quantities where the label goes with them, however it does, or not at all', async () => {
    const ways = [
      (age: number) => age,
      (age: number) => -((age - 30) ** 2),
      (age: number) => (age > 41 ? 100 : 0),
      (age: number) => 50 * Math.sin(age / 6),
      () => 0,
    ];
    for (const way of ways) {
      const rows = rowsOf(2_000, (i) => [any(60, i, 2), way(any(60, i, 2)) + 10 * noise(i)]);
      const { spec } = await drafted('age,y', rows);
      expect(spec.features.age).toEqual({ type: 'number' });
    }
  });

  /** Normal nearly, of deviation 1. */
  const normal = (i: number, of: number) =>
    [1, 2, 3, 4, 5, 6].reduce((sum, k) => sum + draw(i, 100 * of + k), 0) / Math.SQRT2;
  const quantities: Record<string, (i: number) => readonly [number, unknown]> = {
    'rare values, and noise that grows with them': (i) => {
      const area = 10 * Math.round(Math.exp(5.2 + 0.4 * normal(i, 1)));
      return [area, 200 * area * Math.exp(0.7 * normal(i, 2))];
    },
    'a step among rare values': (i) => {
      const amount = Math.round(Math.exp(4 + normal(i, 1)));
      return [amount, amount > 500 ? 1 : 0];
    },
    'a curve among rare values': (i) => {
      const quantity = Math.round(Math.exp(3 + normal(i, 1)));
      return [quantity, quantity ** 2 * (1 + 0.1 * normal(i, 2))];
    },
    'a label that is hardly ever true': (i) => [
      Math.round(Math.exp(4 + 1.3 * normal(i, 1))),
      any(1_000, i, 5) === 0 ? 1 : 0,
    ],
    'a label of heavy tails': (i) => [
      Math.round(Math.exp(3 + normal(i, 1))),
      Math.exp(8 + 2 * normal(i, 2)),
    ],
  };

  it.each(Object.keys(quantities))('are quantities, with %s', async (name) => {
    const rows = rowsOf(8_000, (i) => quantities[name]?.(i) ?? []);
    expect((await drafted('x,y', rows)).spec.features.x).toMatchObject({ type: 'number' });
  });

  it('are quantities where each comes for a while, or by its name is a time', async () => {
    const rowsBy = (placeOf: (i: number) => number) =>
      rowsOf(2_000, (i) => [placeOf(i), (effects[placeOf(i)] ?? 0) + noise(i)]);
    const inOrder = await drafted(
      'wave,sales',
      rowsBy((i) => Math.floor(i / 40)),
    );
    expect(inOrder.spec.features.wave).toEqual({ type: 'number' });
    for (const name of ['week', 'dayOfMonth', 'start_hour']) {
      const { spec } = await drafted(
        `${name},sales`,
        rowsBy((i) => any(60, i)),
      );
      expect(spec.features[name]).toEqual({ type: 'number' });
    }
  });
});

describe('rows in the order of their label', () => {
  const sorted = expect.stringContaining('the rows are sorted by');

  it('are told', async () => {
    const classes = rowsOf(300, (i) => [draw(i, 1), ['a', 'b', 'c'][Math.floor(i / 100)]]);
    expect((await drafted('x,kind', classes)).doubts).toContainEqual(sorted);
    const numbers = rowsOf(300, (i) => [draw(i, 1), i * i]);
    expect((await drafted('x,y', numbers)).doubts).toContainEqual(sorted);
    const ratings = rowsOf(300, (i) => [draw(i, 1), 3 - Math.floor(i / 100)]);
    expect((await drafted('x,y', ratings)).doubts).toContainEqual(sorted);
  });

  it('are not seen where they are not', async () => {
    const mixed = rowsOf(300, (i) => [draw(i, 1), ['a', 'b', 'c'][any(3, i)]]);
    expect((await drafted('x,kind', mixed)).doubts).not.toContainEqual(sorted);
    // (A world that changes once.)
    const changed = rowsOf(300, (i) => [draw(i, 1), i < 150 ? (i === 7 ? 'b' : 'a') : 'b']);
    expect((await drafted('x,kind', changed)).doubts).not.toContainEqual(sorted);
    const walk = rowsOf(300, (i) => [draw(i, 1), i + 3 * draw(i, 2)]);
    expect((await drafted('x,y', walk)).doubts).not.toContainEqual(sorted);
  });
});

describe('texts', () => {
  const textOf = async (words: number) => {
    const sentence = (i: number) =>
      Array.from({ length: 6 }, (_, at) => `word${(i * 6 + at * (1 + (i % 13))) % words}`).join(
        ' ',
      );
    const rows = rowsOf(600, (i) => [i % 9 === 0 ? '' : sentence(i), ['a', 'b'][any(2, i)]]);
    return drafted('what,kind', rows);
  };

  it('of many words get more numbers, and those that are missing are counted', async () => {
    const { spec, doubts } = await textOf(2_000);
    expect(spec.features.what).toEqual({ type: 'text', buckets: 4_096, log: true });
    expect(doubts).toContainEqual(
      'what is a free text: its words are learnt, in 4096 numbers; 67 missing values are learnt ' +
        'as a text without words',
    );
    expect((await textOf(200)).spec.features.what).toEqual({
      type: 'text',
      buckets: 1_024,
      log: true,
    });
    expect((await textOf(50)).spec.features.what).toEqual({
      type: 'text',
      buckets: 256,
      log: true,
    });
  });

  it('are learnt by letters and pairs of them where words have no spaces between them', async () => {
    const clauses = [
      'この商品は',
      '配送はとても早い',
      '値段が高い',
      '説明書がない',
      '電池はすぐ切れた',
    ];
    const review = (i: number) =>
      [i, 3 * i + 1, 7 * i + 2].map((k) => clauses[k % 5]).join(`${i % 60}。`);
    const { spec, doubts } = await drafted(
      'what,kind',
      rowsOf(200, (i) => [review(i), ['x', 'y', 'z'][i % 3]]),
    );
    const { what } = spec.features;
    expect(what).toEqual({ type: 'text', characters: [1, 2], buckets: 4_096, log: true });
    expect(doubts).toContainEqual(
      'what is a free text without spaces between words: its letters and pairs of them are learnt, ' +
        'in 4096 numbers',
    );
    // Names are no texts.
    const names = await drafted(
      'who,x,kind',
      rowsOf(200, (i) => [`田中${'太郎花子一二三'[i % 7]}${i}`, i % 9, ['x', 'y', 'z'][i % 3]]),
    );
    expect(names.spec.features.who).toBeUndefined();
  });
});

describe('times', () => {
  const draftOf = async (times: readonly string[], label = (i: number): unknown => (i % 7) / 2) => {
    const { spec } = await drafted(
      'when,y',
      rowsOf(400, (i) => [times[i % times.length], label(i)]),
    );
    const { when } = spec.features;
    return when?.type === 'timestamp' ? when : undefined;
  };
  const partsOf = async (times: readonly string[], label?: (i: number) => unknown) => {
    const when = await draftOf(times, label);
    return when && (when.parts ?? 'usual');
  };
  const days = (count: number, step: number) =>
    Array.from({ length: count }, (_, i) =>
      new Date(Date.UTC(2001, 2, 1 + i * step)).toISOString().slice(0, 10),
    );

  it('are learnt as what varies of them, and as what has passed: of classes over years', async () => {
    const word = (i: number) => ['yes', 'no'][i % 2];
    expect(await partsOf(days(20, 1))).toEqual(['weekday', 'dayOfYear']);
    expect(await partsOf(days(200, 1))).toEqual(['weekday', 'dayOfYear', 'elapsed']);
    // (Days of a part of a year do not come again.)
    expect(await partsOf(days(200, 1), word)).toEqual(['weekday']);
    expect(await partsOf(days(300, 1), word)).toEqual(['weekday']);
    expect(await partsOf(days(310, 1), word)).toEqual(['weekday', 'dayOfYear']);
    expect(await partsOf(days(200, 5), word)).toEqual(['weekday', 'dayOfYear', 'elapsed']);
    expect(await partsOf(['1970-01-01', '1971-01-01', '1982-01-01'])).toEqual(['elapsed']);
    const months = Array.from(
      { length: 12 },
      (_, i) => `2020-${String(i + 1).padStart(2, '0')}-01`,
    );
    expect(await partsOf(months)).toEqual(['dayOfYear', 'elapsed']);
    expect(await partsOf(['2020-05-01 08:00', '2020-05-01 19:30'])).toBe('usual');
  });

  it('are of the zone that all of them name', async () => {
    const zoneOf = async (times: readonly string[]) => (await draftOf(times))?.zone;
    const at = (time: string, zoneOfDay: (day: number) => string) =>
      Array.from({ length: 12 }, (_, day) => `2026-01-${10 + day}T${time}${zoneOfDay(day)}`);
    const inWinter = at('08:30', () => '+01:00');
    expect(await zoneOf(inWinter)).toBe('+01:00');
    expect(await zoneOf(at('08:30:15.5', () => '-0330'))).toBe('-03:30');
    // That of most: in summer it is another one.
    expect(await zoneOf(at('08:30', (day) => (day < 4 ? '+02:00' : '+01:00')))).toBe('+01:00');
    for (const none of ['', 'Z', '+00:00'])
      expect(await zoneOf(at('08:30', () => none))).toBeUndefined();
    expect(await zoneOf([...inWinter, '2026-02-01T08:00'])).toBeUndefined();
    // Each of them is midnight there: their hour says nothing.
    const midnights = at('00:00', () => '+01:00');
    expect(await partsOf(midnights)).toEqual(['weekday', 'dayOfYear']);
    const ofYear = at('00:00:00', (day) => (day < 4 ? '+02:00' : '+01:00'));
    expect(await partsOf(ofYear)).toEqual(['weekday', 'dayOfYear']);
    expect(await partsOf([...ofYear, 'unknown', '2026-01-29'])).toEqual(['weekday', 'dayOfYear']);
    expect((await draftOf(ofYear))?.harmonics).toEqual({ weekday: 3 });
  });
});
