/** The first of some texts. */
export function someOf(texts: readonly string[]): string {
  const shown = texts.slice(0, 8).map(code).join(', ');
  return texts.length > 8 ? `${shown} and ${texts.length - 8} more` : shown;
}

/** A text as code within a cell of a table. */
export function code(text: string): string {
  const inOneLine = text.replace(/\s+/g, ' ').replaceAll('|', '\\|');
  const longest = Math.max(0, ...(text.match(/`+/g) ?? []).map(({ length }) => length));
  const fence = '`'.repeat(longest + 1);
  return longest === 0 ? `\`${inOneLine}\`` : `${fence} ${inOneLine} ${fence}`;
}
