/** The JSON of lists that was written once, by the list. */
const written = new WeakMap<readonly unknown[], readonly string[]>();

/** Each sample of a list as JSON: written once, as long as nobody changes the list. */
export function jsonOfSamples(samples: readonly unknown[]): readonly string[] {
  const known = written.get(samples);
  if (known !== undefined) return known;
  const all = samples.map((sample) => JSON.stringify(sample));
  written.set(samples, all);
  return all;
}

/** What `JSON.stringify` writes of an object; its `samples`, if it has some, as above. */
export function jsonWithSamples(content: object): string {
  const fields = Object.entries(content).flatMap(([name, value]) => {
    const text =
      name === 'samples' && Array.isArray(value)
        ? `[${jsonOfSamples(value).join()}]`
        : JSON.stringify(value);
    return text === undefined ? [] : [`${JSON.stringify(name)}:${text}`];
  });
  return `{${fields.join()}}`;
}

/** Says that the JSON of a list's samples is written already. */
export function knowJsonOf(samples: readonly unknown[], texts: readonly string[]): void {
  written.set(samples, texts);
}
