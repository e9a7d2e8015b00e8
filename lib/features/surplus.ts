import { listNames, show } from '../parse.ts';
import { type NamedClasses, namesOfClasses, placesOf } from './classes.ts';
import type { Encoding } from './encoder.ts';
import { refusing } from './refusing.ts';
import type { Layout } from './samples.ts';

/** Refuses samples of new classes for which no place is left. */
export function withoutSurplus(
  layout: Layout,
  encoding: Encoding,
  statistics: NamedClasses,
): Encoding {
  const { names: given, labels } = encoding.samples;
  const before = namesOfClasses(layout, statistics);
  if (before === undefined || layout.growingClasses === undefined) return encoding;
  const { most } = layout.growingClasses;
  const known = new Set(placesOf(before).keys());
  const names = [...before];
  return refusing(layout, encoding, (row) => {
    const label = labels[row] ?? 0;
    if (known.has(label)) return undefined;
    const name = given?.get(label) ?? '';
    if (known.size < most) {
      known.add(label);
      names.push(name);
      return undefined;
    }
    const reason =
      `unknown class ${show(name)}: there are ${most} already, as many as label.maxClasses allows ` +
      `(${listNames(names)}); raise it, or send one of them`;
    return { field: 'label', code: 'unknown-class', reason };
  });
}
