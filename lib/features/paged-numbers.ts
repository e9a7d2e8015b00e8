/** As many numbers lie in a page. */
const pageSize = 128;

/** Numbers by their places, float64. */
export type Numbers = { readonly length: number; readonly at: (place: number) => number };

/**
 * Numbers that nobody changes, in pages. What comes of an {@link Edit} shares all pages but those
 * that were written to, so a change costs what it touches, however many numbers there are.
 */
export class PagedNumbers implements Numbers {
  readonly length: number;
  readonly pages: readonly Float64Array[];

  /** @param pages of `pageSize` numbers each, but for the last */
  constructor(length: number, pages: readonly Float64Array[]) {
    this.length = length;
    this.pages = pages;
  }

  /** Zeros, all in one page. */
  static zeros(length: number): PagedNumbers {
    const page = new Float64Array(pageSize);
    const pageOf = (_: unknown, i: number) => page.subarray(0, length - i * pageSize);
    return new PagedNumbers(length, Array.from({ length: pagesOf(length) }, pageOf));
  }

  /** The numbers of an array that nobody changes any more. */
  static of(numbers: Float64Array): PagedNumbers {
    const pageOf = (_: unknown, i: number) => numbers.subarray(i * pageSize, (i + 1) * pageSize);
    const pages = Array.from({ length: pagesOf(numbers.length) }, pageOf);
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
      whole.set(page, i * pageSize);
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
  readonly #pages: Float64Array[];
  /** 1 for each page that nobody else sees. */
  readonly #isOwn: Uint8Array;

  constructor({ length, pages }: PagedNumbers) {
    this.length = length;
    this.#pages = [...pages];
    this.#isOwn = new Uint8Array(pages.length);
  }

  /** As {@link PagedNumbers.at}. */
  at(place: number): number {
    return numberIn(this.#pages, place);
  }

  /** Writes a number at a place, which must be one. */
  set(place: number, value: number): void {
    const page = Math.floor(place / pageSize);
    if (this.#isOwn[page] === 0) {
      this.#pages[page] = this.#pages[page]?.slice() ?? new Float64Array();
      this.#isOwn[page] = 1;
    }
    const own = this.#pages[page];
    if (own !== undefined) own[place - page * pageSize] = value;
  }

  /** The numbers as they are now: what is written later does not change them. */
  now(): PagedNumbers {
    this.#isOwn.fill(0);
    return new PagedNumbers(this.length, [...this.#pages]);
  }
}

function pagesOf(length: number): number {
  return Math.ceil(length / pageSize);
}

function numberIn(pages: readonly Float64Array[], place: number): number {
  const page = Math.floor(place / pageSize);
  return pages[page]?.[place - page * pageSize] ?? 0;
}
