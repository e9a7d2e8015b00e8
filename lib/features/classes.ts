import { invalid } from '../errors.ts';
import { listNames } from '../parse.ts';
import { hashOfClass, isHashOfClass } from './hash.ts';
import type { EncodedSamples, Layout } from './samples.ts';

/**
 * The logit of a class that has no place yet: so low that its share is 0 in float32, and so is its
 * gradient.
 */
export const never = -10_000;

/** Whether a logit is that; optimizers that shrink weights may bring it a little nearer. */
export function isNever(logit: number): boolean {
  return logit < never / 2;
}

/** What says which classes have places, in their order. */
export type NamedClasses = { readonly classNames?: readonly string[] };

/** The classes that have places, in their order; undefined where all of them are declared. */
export function namesOfClasses(
  { growingClasses }: Pick<Layout, 'growingClasses'>,
  { classNames }: NamedClasses,
): readonly string[] | undefined {
  return growingClasses && (classNames ?? growingClasses.declared);
}

const placesOfNames = new WeakMap<readonly string[], ReadonlyMap<number, number>>();

/** The places of names by their hashes, made once for each list of them. */
export function placesOf(names: readonly string[]): ReadonlyMap<number, number> {
  const known = placesOfNames.get(names);
  if (known !== undefined) return known;
  const places = new Map(names.map((name, place) => [hashOfClass(name), place]));
  placesOfNames.set(names, places);
  return places;
}

/** Stands for a class that has no place: nothing that is predicted is right. */
export const noPlace = -1;

/** Samples whose labels are places; {@link noPlace} where the class is not known. */
export function placed(
  samples: EncodedSamples,
  statistics: NamedClasses,
  layout: Layout,
): EncodedSamples {
  const names = namesOfClasses(layout, statistics);
  if (names === undefined) return samples;
  const places = placesOf(names);
  const labels = Float64Array.from(samples.labels, (label) =>
    isHashOfClass(label) ? (places.get(label) ?? noPlace) : label,
  );
  const { names: _, ...own } = samples;
  return { ...own, labels };
}

/**
 * Statistics in which the classes of some samples have places, in the order in which they came.
 *
 * @param learnt the places of those that are learnt; all unless given
 */
export function withClassesOf<Known extends NamedClasses>(
  statistics: Known,
  { labels, names }: Pick<EncodedSamples, 'labels' | 'names'>,
  layout: Layout,
  learnt?: ArrayLike<number>,
): Known {
  const before = namesOfClasses(layout, statistics);
  if (before === undefined || names === undefined) return statistics;
  const places = placesOf(before);
  const added = new Map<number, string>();
  for (const label of learnt ? Array.from(learnt, (row) => labels[row] ?? 0) : labels) {
    const name = places.has(label) ? undefined : names.get(label);
    if (name !== undefined) added.set(label, name);
  }
  if (added.size === 0) return statistics;
  return { ...statistics, classNames: [...before, ...added.values()] };
}

/** Whether names are classes that a layout may have: none twice, and the declared ones first. */
export function areClassesOf(
  { growingClasses }: Layout,
  names: readonly string[] | undefined,
): boolean {
  if (growingClasses === undefined || names === undefined)
    return growingClasses === undefined && names === undefined;
  const { declared, most } = growingClasses;
  const isDistinct = new Set(names).size === names.length;
  return isDistinct && names.length <= most && declared.every((name, i) => names[i] === name);
}

/** The names of `first`, and behind them those of `second` that are not among them. */
export function joinNames(first: readonly string[], second: readonly string[]): readonly string[] {
  const known = new Set(first);
  const others = second.filter((name) => !known.has(name));
  return others.length === 0 ? first : [...first, ...others];
}

/** Values of each class, in the order of other names: 0 of a class that was not among them. */
export function inOrderOf(
  values: Float64Array,
  before: readonly string[],
  after: readonly string[],
): Float64Array {
  const moved = new Float64Array(values.length);
  const places = new Map(after.map((name, place) => [name, place]));
  before.forEach((name, place) => {
    const now = places.get(name);
    if (now !== undefined) moved[now] = values[place] ?? 0;
  });
  return moved;
}

/**
 * That there is a place for each class that is known.
 *
 * @throws MillraceError kind `invalid` that names classes for which there is none
 */
export function assertPlaces(layout: Layout, known: NamedClasses): void {
  const { most } = layout.growingClasses ?? {};
  const names = namesOfClasses(layout, known);
  if (most === undefined || names === undefined || names.length <= most) return;
  const surplus = listNames(names.slice(most));
  throw invalid(
    `there is no place for class ${surplus}: there would be ${names.length} together, and ` +
      `label.maxClasses is ${most}; raise it with \`millrace spec\`, or leave their rows out`,
  );
}
