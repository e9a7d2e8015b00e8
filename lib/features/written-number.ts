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

const money = '[$€£¥]';

/**
 * Reads numbers as people write them: with or without signs between thousands, of money, and of
 * percent, which change nothing (45% is 45).
 *
 * @returns a function of a text without white space around it; undefined if it is no such number
 */
export function writtenNumberReader(style: NumberStyle): (text: string) => number | undefined {
  const { between, point } = styles[style];
  const written = new RegExp(
    // (No number of thousands begins with 0.)
    `^([+-]?)(?:${money}\\s?)?([+-]?)([1-9]\\d{0,2}(?:${between}\\d{3})+|\\d*)(?:${point}(\\d*))?` +
      `(e[+-]?\\d+)?(?:\\s?(?:%|${money}))?$`,
    'i',
  );
  return (text) => {
    const [found, sign = '', other = '', whole = '', rest = '', exponent = ''] =
      written.exec(text) ?? [];
    const digits = whole.replace(/\D/g, '');
    if (found === undefined || (sign !== '' && other !== '') || digits + rest === '')
      return undefined;
    return Number(`${sign}${other}${digits || '0'}.${rest || '0'}${exponent}`);
  };
}
