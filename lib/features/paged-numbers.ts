/**
 * As many numbers lie in a page, a list: V8 copies one on its own heap in a fifth of the time of a
 * typed array.
 */
const pageSize = 64;
type Page = readonly number[];

/** Numbers by their places, float64. */
export type Numbers = { readonly length: number; readonly at: (place: number) => number };

/**
 * Numbers that nobody changes, in pages. What comes of an {@link Edit} shares all pages but those
 * that were written to, so a change costs what it touches, however many numbers there are.
 */
export class PagedNumbers implements Numbers {
  readonly length: number;
  readonly pages: readonly Page[];

  /** @param pages of `pageSize` numbers each */
  constructor(length: number, pages: readonly Page[]) {
    this.length = length;
    this.pages = pages;
  }

  /** Zeros, all in one page. */
  static zeros(length: number): PagedNumbers {
    const page = pageOf(new Float64Array(), 0);
    return new PagedNumbers(length, new Array(pagesOf(length)).fill(page));
  }

  /** The numbers of an array. */
  static of(numbers: Float64Array): PagedNumbers {
    const pages = Array.from({ length: pagesOf(numbers.length) }, (_, i) => pageOf(numbers, i));
    return new PagedNumbers(numbers.length, pages);
  }

  /** The number at a place; 0 beyond the last. */
  at(place: number): number {
    return numberIn(this.pages, place);
  }

  /** All of them in one array, which is the caller's. */
  whole(): Float64Array {
    const whole = new Float64Array(this.length);
    this.pages.forEach((page, i) => {
      const start = i * pageSize;
      const end = Math.min(start + pageSize, whole.length);
      for (let place = start; place < end; place++) whole[place] = page[place - start] ?? 0;
    });
    return whole;
  }

  /** Other numbers in their places. */
  map(change: (number: number, place: number) => number): PagedNumbers {
    return PagedNumbers.of(this.whole().map(change));
  }

  /** A copy that may be written to. */
  edit(): Edit {
    return new Edit(this);
  }
}

/** Numbers that are written to. */
export class Edit implements Numbers {
  readonly length: number;
  readonly #pages: Page[];
  /** Those that nobody else sees. */
  readonly #own: (number[] | undefined)[];

  constructor({ length, pages }: PagedNumbers) {
    this.length = length;
    this.#pages = pages.slice();
    this.#own = new Array(pages.length).fill(undefined);
  }

  /** As {@link PagedNumbers.at}. */
  at(place: number): number {
    return numberIn(this.#pages, place);
  }

  /** Writes a number at a place, which must be one. */
  set(place: number, value: number): void {
    const page = Math.floor(place / pageSize);
    let own = this.#own[page];
    if (own === undefined) {
      own = this.#pages[page]?.slice() ?? [];
      this.#own[page] = own;
      this.#pages[page] = own;
    }
    own[place % pageSize] = value;
  }

  /** The numbers as they are now: what is written later does not change them. */
  now(): PagedNumbers {
    this.#own.fill(undefined);
    return new PagedNumbers(this.length, this.#pages.slice());
  }
}

function pagesOf(length: number): number {
  return Math.ceil(length / pageSize);
}

/** One page of an array, with zeros behind its end. */
function pageOf(numbers: Float64Array, page: number): Page {
  // (A list that has held a fraction once keeps its numbers unboxed.)
  const own = new Array<number>(pageSize).fill(0.5);
  for (let i = 0; i < pageSize; i++) own[i] = numbers[page * pageSize + i] ?? 0;
  return own;
}

function numberIn(pages: readonly Page[], place: number): number {
  return pages[Math.floor(place / pageSize)]?.[place % pageSize] ?? 0;
}
