/**
 * A text of the source, and what stands in its place. The text must be there exactly once; white
 * space, line breaks and trailing commas do not count, so that a mutant survives a reformatting.
 */
export type Edit = { readonly file: string; readonly find: string; readonly replace: string };

/** A way to break the protocol. */
export type Mutant = {
  readonly name: string;
  readonly edits: readonly Edit[];
  /** Where the search begins: a seed near the first that finds it, where that is far from 1. */
  readonly from?: number;
};

/** The source with an edit; a text says why it cannot be made. */
export function edited(
  source: string,
  { find, replace }: Omit<Edit, 'file'>,
): { readonly text: string } | string {
  const pattern = new RegExp(patternOf(find), 'g');
  const found = [...source.matchAll(pattern)];
  const [match] = found;
  if (match === undefined) return `the text to change is not there: ${find}`;
  if (found.length > 1) return `the text to change is there ${found.length} times: ${find}`;
  const { index } = match;
  return { text: source.slice(0, index) + replace + source.slice(index + match[0].length) };
}

/** Words, numbers and single characters, with any white space between them. */
function patternOf(find: string): string {
  const tokens = find.match(/[\w$]+|[^\s\w$]/g) ?? [];
  return tokens
    .map((token, i) => `${canEndList(token, tokens[i - 1]) ? ',?\\s*' : ''}${literal(token)}`)
    .join('\\s*');
}

/** Whether a formatter may put a comma before a token. */
function canEndList(token: string, before: string | undefined): boolean {
  return /[)\]}]/.test(token) && before !== undefined && !/[([{,;]/.test(before);
}

function literal(token: string): string {
  return token.replace(/[.*+?^${}()|[\]\\/]/g, '\\$&');
}
