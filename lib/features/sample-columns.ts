import { isRecord } from '../parse.ts';
import type { FoundColumns, RowRange, Samples, ValueColumn } from './cell-table.ts';
import { type Declaration, ignoring } from './columns.ts';
import type { WrittenFeatures } from './features-writer.ts';
import { type NamedCells, SampleTable } from './sample-table.ts';

/**
 * Puts the values of samples into columns: those of features that are sent, in order, of labels and
 * of weights. A sample that has anything else is left; undefined of a table that has anything else.
 */
export function sampleColumns(declaration: Declaration, { sent, places }: WrittenFeatures) {
  const isIgnored = ignoring(declaration);
  const [labelPlace, weightPlace] = [sent.length, sent.length + 1];
  /** Where values of such keys belong, −1 if nowhere: most samples have those of the one before. */
  let [keys, placesOfKeys]: [string[], number[]] = [[], []];
  /** Whether one of them is that of a feature. */
  let hasKnown = false;
  const placesOf = (own: string[]) => {
    if (own.length !== keys.length || own.some((key, i) => key !== keys[i])) {
      [keys, placesOfKeys] = [own, own.map((key) => places.get(key) ?? (isIgnored(key) ? -1 : -2))];
      hasKnown = placesOfKeys.some((place) => place >= 0);
    }
    return placesOfKeys;
  };
  /** Those that a table has already. */
  const columnsOfTable = (table: SampleTable, { start, count }: RowRange) => {
    const columns = new Array<ValueColumn | undefined>(sent.length + 2).fill(undefined);
    const put = (place: number, { cells }: NamedCells) => {
      columns[place] = { kind: 'values', values: cells, from: 0 };
    };
    for (const field of table.fields) {
      if ('columns' in field) {
        const ownPlaces = placesOf(field.columns.map(({ name }) => name));
        if (ownPlaces.includes(-2) || (!hasKnown && sent.length > 0)) return undefined;
        for (const [i, column] of field.columns.entries()) {
          const place = ownPlaces[i] ?? -1;
          if (place >= 0) put(place, column);
        }
      } else if (field.name === 'label') put(labelPlace, field);
      else if (field.name === 'weight') put(weightPlace, field);
      else return undefined;
    }
    return table.has('features') ? { columns, left: new Uint8Array(count), start } : undefined;
  };
  return (
    samples: Samples,
    { start, count }: RowRange,
    beforeEach: () => void,
  ): FoundColumns | undefined => {
    if (samples instanceof SampleTable) return columnsOfTable(samples, { start, count });
    const left = new Uint8Array(count);
    const columns = Array.from({ length: sent.length + 2 }, () => ({
      kind: 'values' as const,
      values: new Array<unknown>(count),
      from: 0,
    }));
    const put = (place: number, row: number, value: unknown) => {
      const values = columns[place]?.values;
      if (values) values[row] = value;
    };
    for (let row = 0; row < count; row++) {
      beforeEach();
      const sample = samples.at(start + row);
      if (!isRecord(sample) || !isRecord(sample.features) || !isPlain(sample)) {
        left[row] = 1;
        continue;
      }
      const { features } = sample;
      const own = Object.keys(features);
      const ownPlaces = placesOf(own);
      // Why a sample has none that are known, is for whoever reads it by itself.
      if (!hasKnown && sent.length > 0) left[row] = 1;
      for (let i = 0; i < own.length; i++) {
        const place = ownPlaces[i] ?? -2;
        if (place >= 0) put(place, row, features[own[i] ?? '']);
        else if (place === -2) left[row] = 1;
      }
      put(labelPlace, row, sample.label);
      put(weightPlace, row, sample.weight);
    }
    return { columns, left, start: 0 };
  };
}

/** Whether a sample has features, a label and a weight alone. */
function isPlain(sample: Readonly<Record<string, unknown>>): boolean {
  for (const key in sample)
    if (key !== 'features' && key !== 'label' && key !== 'weight') return false;
  return true;
}
