import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { PagedNumbers } from '../../lib/features/paged-numbers.ts';

describe('numbers in pages', () => {
  it('read as an array that is copied before each change, in all their versions', () => {
    const writes = fc.array(fc.tuple(fc.nat(), fc.double()), { maxLength: 20 });
    const property = (length: number, changes: readonly (readonly [number, number])[][]) => {
      const versions = [
        { paged: PagedNumbers.zeros(length), plain: new Float64Array(length) },
        { paged: PagedNumbers.of(new Float64Array(length)), plain: new Float64Array(length) },
      ];
      changes.forEach((own, i) => {
        const before = versions[(i * 7) % versions.length];
        if (before === undefined) return;
        const [edit, plain] = [before.paged.edit(), before.plain.slice()];
        own.forEach(([at, value], step) => {
          const place = at % length;
          edit.set(place, value);
          plain[place] = value;
          expect(edit.at(place)).toBe(plain[place]);
          // What is written after that does not change it.
          if (step % 5 === 0) versions.push({ paged: edit.now(), plain: plain.slice() });
        });
        versions.push({ paged: edit.now(), plain });
      });
      for (const { paged, plain } of versions) {
        expect(paged.whole()).toEqual(plain);
        expect(Array.from(plain, (_, place) => paged.at(place))).toEqual([...plain]);
        expect(paged.at(length)).toBe(0);
      }
    };
    fc.assert(fc.property(fc.integer({ min: 1, max: 700 }), fc.array(writes), property));
  });

  it('share all pages that were not written to, however many there are', () => {
    const before = PagedNumbers.zeros(1_000_000);
    const edit = before.edit();
    for (const place of [3, 4, 500_000, 999_999]) edit.set(place, 1);
    const after = edit.now();
    const others = after.pages.filter((page, i) => page !== before.pages[i]);
    expect(others).toHaveLength(3);
    expect(after.whole().reduce((sum, each) => sum + each, 0)).toBe(4);
  });

  it('are changed as a whole by their places', () => {
    const numbers = PagedNumbers.of(Float64Array.from({ length: 300 }, (_, i) => i));
    const doubled = numbers.map((number, place) => number + place);
    expect(doubled.at(299)).toBe(598);
    expect(numbers.at(299)).toBe(299);
  });
});
