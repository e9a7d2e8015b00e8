import { isRecord, listNames, show } from '../parse.ts';
import { accepted, refuse } from '../refusal.ts';
import { cellsOfSpec, columnsOf, type Declaration, ignoring } from './columns.ts';
import { missingText } from './label.ts';
import { shownField, type WriteSample } from './sample-parts.ts';

/** The features of a declaration as they are written, of one sample after another. */
export function writtenFeatures(declaration: Declaration) {
  const cells = cellsOfSpec(declaration);
  const declared = columnsOf(declaration).map(({ name, column, offsets, behaviour }) => ({
    name,
    column,
    offsets,
    width: behaviour.width,
    of: behaviour.of,
    asSource: behaviour.asSource ?? ((cell: unknown) => cell),
    missing: behaviour.missing,
    knows: behaviour.knows ?? (() => false),
    write: behaviour.writer(offsets),
  }));
  // Those that have no value of their own are not sent.
  const sent = declared.filter(({ of }) => of === undefined);
  const places = new Map(sent.map(({ name }, place) => [name, place]));
  const taken = declared.flatMap(({ name, offsets, of, write }) =>
    of === undefined
      ? []
      : [{ name, offsets, write, from: of.map((each) => places.get(each) ?? -1) }],
  );
  const isSource = sent.map((_, place) => taken.some(({ from }) => from.includes(place)));
  /** What a cell is taken for; undefined if it is missing, and nothing stands for it. */
  const valueFor = ({ missing, knows }: (typeof sent)[number], cell: unknown) =>
    cells.isMissing(cell) && !knows(cell) ? missing : cell;
  const textOf = ({ asSource }: (typeof sent)[number], value: unknown) =>
    cells.text(asSource(value));
  return { sent, places, taken, isSource, valueFor, textOf };
}

/** What {@link writtenFeatures} works out: once for each encoder, since its values may be many. */
export type WrittenFeatures = ReturnType<typeof writtenFeatures>;

/** Writes the features of a sample; what is taken from others comes last. */
export function featuresWriter(
  declaration: Declaration,
  { sent, places, taken: others, isSource, valueFor, textOf }: WrittenFeatures,
): WriteSample {
  const taken = others.map((each) => ({ ...each, texts: each.from.map(String) }));
  const isIgnored = ignoring(declaration);
  // Of one sample, and then of the next, by place in `sent`: the cell, and its text as a source.
  const raw = sent.map((): unknown => undefined);
  const texts = sent.map((): string | undefined => undefined);
  return ({ features }, into, row) => {
    if (!isRecord(features)) {
      return {
        ...refuse('wrong-type', `must be an object (found ${show(features)})`),
        field: 'features',
      };
    }
    raw.fill(undefined);
    let known = 0;
    for (const key of Object.keys(features)) {
      const place = places.get(key);
      if (place !== undefined) {
        raw[place] = features[key];
        known += 1;
        continue;
      }
      if (isIgnored(key)) continue;
      const reason = `unknown feature; allowed: ${listNames([...places.keys()]) || 'none'}`;
      return {
        ...refuse('unknown-field', reason),
        field: `features.${shownField(key)}`,
      };
    }
    // Nobody means a sample that has none of them: they are called otherwise there.
    if (known === 0 && declaration.missing === 'learnt' && sent.length > 0) {
      const reason = `has none of its features: ${listNames([...places.keys()])}`;
      return { ...refuse('missing', reason), field: 'features' };
    }
    let place = 0;
    for (const column of sent) {
      const { name, write } = column;
      const cell = raw[place];
      const value = valueFor(column, cell);
      const written =
        value === undefined ? refuse('missing', missingText(cell)) : write(value, into, row);
      if (!written.ok) return { ...written, field: `features.${name}` };
      if (isSource[place]) texts[place] = textOf(column, value);
      place += 1;
    }
    for (const { name, from, texts: sources, write } of taken) {
      let at = 0;
      for (const place of from) {
        const text = texts[place];
        if (text === undefined) {
          const source = sent[place];
          const found = show(source?.asSource(valueFor(source, raw[place])));
          const reason = `crosses a value that is no text or number (found ${found})`;
          return { ...refuse('wrong-type', reason), field: `features.${name}` };
        }
        sources[at++] = text;
      }
      const written = write(sources, into, row);
      if (!written.ok) return { ...written, field: `features.${name}` };
    }
    return accepted;
  };
}
