import { listNames, show } from '../parse.ts';
import { type NamedClasses, namesOfClasses, placesOf } from './classes.ts';
import type { Encoding } from './encoder.ts';
import { gatherSamples, type Layout } from './samples.ts';

/** Refuses samples of new classes for which no place is left. */
export function withoutSurplus(
  layout: Layout,
  encoding: Encoding,
  statistics: NamedClasses,
): Encoding {
  const { samples, accepted } = encoding;
  const before = namesOfClasses(layout, statistics);
  if (before === undefined || layout.growingClasses === undefined) return encoding;
  const { most } = layout.growingClasses;
  const known = new Set(placesOf(before).keys());
  const names = [...before];
  const kept: number[] = [];
  const refused = [...encoding.refused];
  samples.labels.forEach((label, row) => {
    if (known.has(label) || known.size < most) {
      if (!known.has(label)) names.push(samples.names?.get(label) ?? '');
      known.add(label);
      kept.push(row);
      return;
    }
    const reason =
      `unknown class ${show(samples.names?.get(label))}: there are ${most} already, as many as ` +
      `label.maxClasses allows (${listNames(names)}); raise it, or send one of them`;
    refused.push({ index: accepted[row] ?? -1, field: 'label', code: 'unknown-class', reason });
  });
  if (kept.length === samples.count) return encoding;
  return {
    ...encoding,
    samples: gatherSamples(samples, kept, layout),
    accepted: Int32Array.from(kept, (row) => accepted[row] ?? -1),
    refused: refused.sort((a, b) => a.index - b.index),
  };
}
