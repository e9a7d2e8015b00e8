import { type RawSamples, SampleTable } from './sample-table.ts';

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

/**
 * What `JSON.stringify` writes of an object; its `samples`, if it has some, as above. Of a table it
 * is the JSON of the list that the table stands for.
 */
export function jsonWithSamples(content: object): string {
  const fields = Object.entries(content).flatMap(([name, value]) => {
    const isTable = value instanceof SampleTable;
    const text =
      isTable || (name === 'samples' && Array.isArray(value))
        ? `[${(isTable ? value.texts() : jsonOfSamples(value)).join()}]`
        : JSON.stringify(value);
    return text === undefined ? [] : [`${JSON.stringify(name)}:${text}`];
  });
  return `{${fields.join()}}`;
}

/** Samples at some places of others, in their order, whose JSON is known as theirs is. */
export function samplesAt(samples: RawSamples, places: readonly number[]): RawSamples {
  if (samples instanceof SampleTable) {
    const isWhole = places.length === samples.length && places.every((place, at) => place === at);
    return isWhole ? samples : samples.pick(places);
  }
  const picked = places.map((place) => samples.at(place));
  const texts = written.get(samples);
  if (texts !== undefined)
    written.set(
      picked,
      places.map((place) => texts[place] ?? ''),
    );
  return picked;
}
