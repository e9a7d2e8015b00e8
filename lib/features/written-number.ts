/** How the signs of numbers are written: what stands between thousands, and before a fraction. */
const styles = {
  '1,234.5': { between: ',', point: '\\.' },
  '1.234,5': { between: '\\.', point: ',' },
  '1 234,5': { between: '[ \\u00a0\\u2009\\u202f]', point: ',' },
  '1 234.5': { between: '[ \\u00a0\\u2009\\u202f]', point: '\\.' },
  "1'234.5": { between: "['\\u2019]", point: '\\.' },
} as const;

/** A style, by a number that is written so. */
export type NumberStyle = keyof typeof styles;

/** All of them, the commonest first. */
export const numberStyles = Object.keys(styles) as [NumberStyle, ...NumberStyle[]];

/** Moneys by their codes (ISO 4217), and by signs that Unicode does not count as such. */
const codes =
  'AED|ARS|AUD|BGN|BRL|CAD|CHF|CLP|CNY|COP|CZK|DKK|EGP|EUR|GBP|HKD|HUF|IDR|ILS|INR|ISK|JPY|KES|' +
  'KRW|KWD|MAD|MXN|MYR|NGN|NOK|NZD|PEN|PHP|PLN|QAR|RON|RUB|SAR|SEK|SGD|THB|TRY|TWD|UAH|USD|VND|ZAR';
const money = `(?:US\\$|R\\$|\\p{Sc}|${codes}|kr|zł|Kč)`;
const sign = '[-+\\u2212]';

/** What is around a number: parentheses of a negative one, signs, money, percent, degrees. */
const around = new RegExp(
  `^(\\(?)(${sign}?)(?:(${money})\\s?)?(${sign}?)` +
    `([.,]?\\d[\\d.,'\\u2019\\s]*?(?:[eE][+-]?\\d+)?)(?:\\s?(${money}|%|°[CF]?))?(\\)?)$`,
  'u',
);

/** The digits of a number with what is between them, and what stands around. */
type Bare = {
  readonly digits: string;
  readonly isNegative: boolean;
  /** Such as €, USD or %. */
  readonly unit: string;
};

/** A number without what is around it; undefined if a text is none. */
function bareOf(text: string): Bare | undefined {
  const [found, open = '', first = '', before = '', second = '', digits = '', behind = '', close] =
    around.exec(text) ?? [];
  if (found === undefined) return undefined;
  const isOdd =
    (first !== '' && second !== '') ||
    (before !== '' && behind !== '') ||
    (open !== '') !== (close !== '') ||
    (open !== '' && first + second !== '');
  if (isOdd) return undefined;
  const own = first + second;
  const isNegative = open !== '' || own === '-' || own === '\u2212';
  return { digits, isNegative, unit: before + behind };
}

/** Digits with signs between them, of any style. */
const anyDigits = /^(\d{1,3}([.,'\u2019\s]?\d{3})*)?([.,]\d*)?([eE][+-]?\d+)?$/;

/** Whether a text looks like a number of some style. */
export function looksWritten(text: string): boolean {
  const bare = bareOf(text);
  return bare !== undefined && anyDigits.test(bare.digits);
}

/** What stands before or behind a number that is written: money, percent; empty if nothing. */
export function unitOf(text: string): string {
  return bareOf(text)?.unit ?? '';
}

/**
 * Reads numbers as people write them: with or without signs between thousands, and of money,
 * percent and degrees, which change nothing (45% is 45). One in parentheses is negative.
 *
 * @returns a function of a text without white space around it; undefined if it is no such number
 */
export function writtenNumberReader(style: NumberStyle): (text: string) => number | undefined {
  const { between, point } = styles[style];
  const written = new RegExp(
    // (No number of thousands begins with 0.)
    `^([1-9]\\d{0,2}(?:${between}\\d{3})+|\\d*)(?:${point}(\\d*))?([eE][+-]?\\d+)?$`,
  );
  return (text) => {
    const bare = bareOf(text);
    if (bare === undefined) return undefined;
    const [found, whole = '', rest = '', exponent = ''] = written.exec(bare.digits) ?? [];
    if (found === undefined) return undefined;
    const digits = whole.replace(/\D/g, '');
    return Number(`${bare.isNegative ? '-' : ''}${digits || '0'}.${rest || '0'}${exponent}`);
  };
}

const readers = numberStyles.map((style) => ({ style, read: writtenNumberReader(style) }));

/** The first style by which a text is a number, if there is one. */
export function styleOf(text: string): NumberStyle | undefined {
  return readers.find(({ read }) => read(text) !== undefined)?.style;
}
