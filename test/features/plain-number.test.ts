import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { plainNumber } from '../../lib/features/plain-number.ts';

const read = (text: string, hasDecimalComma = false) =>
  plainNumber(Buffer.from(`..${text}..`), 2, Buffer.byteLength(text) + 2, hasDecimalComma);

const digits = (most: number) => fc.stringMatching(new RegExp(`^\\d{1,${most}}$`));
const sign = fc.constantFrom('', '-', '+');
const exponent = fc.option(fc.tuple(fc.constantFrom('e', 'E', 'e-', 'e+'), digits(3)));
const written = fc
  .tuple(sign, digits(21), fc.option(digits(24)), exponent)
  .map(([before, whole, rest, power]) =>
    [before, whole, rest === null ? '' : `.${rest}`, power?.join('') ?? ''].join(''),
  );
/** As JavaScript, Python and R write them: as many digits as tell a number from its neighbours. */
const shortest = fc.double({ noNaN: true, noDefaultInfinity: true }).map(String);
const usual = fc.maxSafeNat().map((bits) => String((bits / 2 ** 53) * 2e6 - 1e6));
const precise = fc
  .tuple(fc.maxSafeNat(), fc.integer({ min: -8, max: 12 }), fc.integer({ min: 1, max: 21 }))
  .map(([bits, power, many]) => ((bits / 2 ** 53) * 10 ** power).toPrecision(many));
/** In the middle between two numbers, or as near to it as digits can say. */
const middle = fc
  .tuple(fc.bigInt({ min: 2n ** 53n, max: 2n ** 62n }), fc.integer({ min: -1, max: 1 }))
  .map(([number, beside]) => {
    const unit = 2n ** BigInt(number.toString(2).length - 53);
    return String((number / unit) * unit + unit / 2n + BigInt(beside));
  });

describe('a number that is written in a plain way', () => {
  it.each([
    ['any digits', written, 800],
    ['as few digits as there may be', shortest, 40],
    ['of a usual size', usual, 3_600],
    ['of so many digits', precise, 3_000],
    ['between two numbers', middle, 200],
  ] as const)('is the one that JavaScript reads, to the last bit: %s', (_, texts, least) => {
    let known = 0;
    fc.assert(
      fc.property(texts, (text) => {
        const number = read(text);
        if (Number.isNaN(number)) return;
        expect(number).toBe(Number(text));
        known += 1;
      }),
      { numRuns: 4_000 },
    );
    expect(known).toBeGreaterThan(least);
  });

  it.each([
    '',
    '-',
    '.',
    '.5',
    '5.',
    '1e',
    '1e+',
    'e5',
    '1.2.3',
    '1,5',
    '0x1',
    ' 1',
    '1 ',
    '1e9999',
  ])('is not told of %j', (text) => expect(read(text)).toBeNaN());

  it('may have a decimal comma', () => {
    expect(read('-1,25e2', true)).toBe(-125);
    expect(read('1.25', true)).toBe(1.25);
    expect(read('1.000,5', true)).toBeNaN();
  });
});
