import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createEncoder } from '../../lib/features/encoder.ts';
import { defineSpec, type SpecInput } from '../../lib/spec/spec.ts';

describe('a timestamp', () => {
  const times = createEncoder(
    defineSpec({
      model: 'm',
      task: 'binary',
      features: {
        at: {
          type: 'timestamp',
          parts: ['hour', 'weekday', 'month', 'dayOfYear', 'elapsed'],
          zone: '-05:00',
        },
      },
    }),
  );
  const read = (at: unknown) => times.encode([{ features: { at }, label: true }]);

  it('goes round as often as its harmonics say, while its part does once', () => {
    const own = { parts: ['hour', 'weekday', 'elapsed'], harmonics: { hour: 3 } } as const;
    const features: SpecInput['features'] = {
      at: { type: 'timestamp', ...own, parts: [...own.parts] },
    };
    const { encode } = createEncoder(defineSpec({ model: 'm', task: 'binary', features }));
    const turn = (2 * Math.PI * 7.5) / 24;
    const { samples } = encode([{ features: { at: '2026-11-26T07:30' }, label: true }]);
    const expected = [1, 2, 3].flatMap((k) => [Math.cos(k * turn), Math.sin(k * turn)]);
    // (A Thursday is three days behind the beginning of its week.)
    const week = (2 * Math.PI * (3 + 7.5 / 24)) / 7;
    const found = [...samples.raw];
    expect(found).toHaveLength(9);
    for (const [i, value] of [...expected, Math.cos(week), Math.sin(week)].entries())
      expect(found[i]).toBeCloseTo(value, 12);
    const harmonics = { month: 2 };
    expect(() =>
      defineSpec({
        model: 'm',
        task: 'binary',
        features: { at: { type: 'timestamp', harmonics } },
      }),
    ).toThrow('spec.features.at.harmonics: must be of parts that are learnt');
  });

  it('is the same numbers whatever was read before it', () => {
    const [first, last] = [Date.UTC(1000, 0), Date.UTC(3000, 0)].map((time) => time / 1_000);
    const within = fc.double({ min: first ?? 0, max: last ?? 0, noNaN: true });
    // Ends of years, and what a part of a millisecond is away from them.
    const ends = fc
      .tuple(fc.integer({ min: 1900, max: 2050 }), fc.constantFrom(-0.0005, -0.001, 0, 0.0005))
      .map(([year, beside]) => Date.UTC(year, 0) / 1_000 + 5 * 3_600 + beside);
    const times = fc.oneof(within, ends);
    fc.assert(
      fc.property(times, fc.integer({ min: -300, max: 300 }), (time, days) => {
        const numbersOf = (at: number) => [...read(at).samples.raw];
        const [, own] = [numbersOf(0), numbersOf(time)];
        const [, again] = [numbersOf(time + days * 86_400), numbersOf(time)];
        expect(again).toEqual(own);
      }),
      { numRuns: 1_000 },
    );
  });

  it('is the same point in time in all its forms', () => {
    const forms = [
      '2001-02-28T12:00:00Z',
      '2001-02-28 12:00',
      '2001-2-28 12:00',
      '2001-02-28T4:00-08:00',
      '2001-02-28 12:00 PM',
      '2001/2/28 12:00:00pm Z',
      '2001/02/28T07:00-05:00',
      '2001-02-28T13:00:00.000+0100',
      new Date('2001-02-28T12:00:00Z'),
      983_361_600,
      '983361600',
    ].map((form) => [...read(form).samples.raw]);
    for (const form of forms) expect(form).toEqual(forms[0]);
    const [cosine = 0, sine = 0] = forms[0] ?? [];
    // Seven in the morning in the zone: seven twenty-fourths of a turn.
    expect(cosine).toBeCloseTo(Math.cos((2 * Math.PI * 7) / 24), 12);
    expect(sine).toBeCloseTo(Math.sin((2 * Math.PI * 7) / 24), 12);
    expect(forms[0]?.at(-1)).toBe(983_361_600);
  });

  it.each([
    '2001-02-30',
    '2001-13-01',
    '28.02.2001',
    'noon',
    '2001-02-28T25:00',
    '2001-02-28 13:00 PM',
    '2001-02-28 0:30 AM',
    '2001-02-0',
    '2001-02-28T10:00+15:00',
    true,
    ' TRUE',
    [],
    1e300,
    8.64e12,
    -8.64e12,
    '0000-01-01',
  ])('is refused where it is none: %s', (form) => {
    expect(read(form).refused).toMatchObject([{ field: 'features.at', code: 'wrong-type' }]);
  });

  it('has points on the circle, whatever the time', () => {
    fc.assert(
      fc.property(fc.double({ min: -6e10, max: 2e11, noNaN: true }), (seconds) => {
        const raw = read(seconds).samples.raw;
        for (let i = 0; i < 8; i += 2)
          expect((raw[i] ?? 0) ** 2 + (raw[i + 1] ?? 0) ** 2).toBeCloseTo(1, 9);
      }),
    );
  });
});
