import * as z from 'zod';
import { limits } from '../limits.ts';
import { type Cells, cellsAsWritten } from './cells.ts';
import { categoryBehaviour, categorySchema, placesOfValues } from './kinds/category.ts';
import { combinationsOf, crossBehaviour, crossSchema, type Places } from './kinds/cross.ts';
import { imageBehaviour, imageSchema, pixelsOf } from './kinds/image.ts';
import { withIndicator } from './kinds/indicator.ts';
import type { FeatureBehaviour } from './kinds/kind.ts';
import { lagBehaviour, lagOf, lagSchema } from './kinds/lag.ts';
import { numberBehaviour, numberSchema } from './kinds/number.ts';
import { targetMeanBehaviour, targetMeanSchema } from './kinds/target-mean.ts';
import { textBehaviour, textSchema } from './kinds/text.ts';
import { timestampBehaviour, timestampSchema } from './kinds/timestamp.ts';
import { vectorBehaviour, vectorSchema } from './kinds/vector.ts';

/** One feature of a sample, as a spec declares it. */
export const featureSchema = z.discriminatedUnion('type', [
  numberSchema,
  vectorSchema,
  imageSchema,
  categorySchema,
  crossSchema,
  targetMeanSchema,
  lagSchema,
  timestampSchema,
  textSchema,
]);

/** A validated feature, with its defaults filled in. */
export type Feature = z.output<typeof featureSchema>;

/**
 * The behaviour of a declared feature.
 *
 * @param outputs how many numbers a model of its task predicts for a row
 * @param all the features of its spec, which it may be taken from
 */
export function behaviourOf(
  feature: Feature,
  cells: Cells,
  outputs: number,
  all: Readonly<Record<string, Feature>> = {},
): FeatureBehaviour {
  switch (feature.type) {
    case 'number':
      return withIndicator(numberBehaviour(feature, cells), feature);
    case 'vector':
      return withIndicator(vectorBehaviour(feature, cells), feature);
    case 'image':
      return imageBehaviour(feature, cells);
    case 'category':
      return categoryBehaviour(feature, cells);
    case 'cross':
      return crossBehaviour(feature, placesOf(feature, cells, all));
    case 'targetMean':
      return targetMeanBehaviour(feature, outputs);
    case 'lag':
      return lagBehaviour(feature, outputs);
    case 'timestamp':
      return withIndicator(timestampBehaviour(feature, cells), feature);
    case 'text':
      return textBehaviour(feature, cells);
  }
}

/** What is wrong with how numbers are scaled, each with its path in a spec. */
export function problemsOfScaling(
  features: Readonly<Record<string, Feature>>,
): { readonly path: string[]; readonly problem: string }[] {
  return Object.entries(features).flatMap(([name, feature]) => {
    if (feature.type !== 'number' || typeof feature.standardize === 'boolean') return [];
    const { halfLife, standardize } = feature;
    if (halfLife === undefined) return [];
    const problem = `is of mean and variance; leave it out, or standardize: ${standardize}`;
    return [{ path: ['features', name, 'halfLife'], problem }];
  });
}

/** What is wrong with the numbers that say what is missing, each with its path in a spec. */
export function problemsOfIndicators(
  features: Readonly<Record<string, Feature>>,
): { readonly path: string[]; readonly problem: string }[] {
  return Object.entries(features).flatMap(([name, feature]) => {
    if (!('indicator' in feature) || feature.indicator !== true) return [];
    if (feature.missing !== undefined) return [];
    const problem = 'says that `missing` stands for a value; name what does';
    return [{ path: ['features', name, 'indicator'], problem }];
  });
}

/** Numbers that a network sees of a feature; of a category it sees a row of a table. */
export function numbersOf(feature: Feature, outputs: number): number {
  return behaviourOf(feature, cellsAsWritten, outputs).width.numbers;
}

/** Why lists of a sample are too many values together; undefined if they are not. */
export function problemOfElements(features: Readonly<Record<string, Feature>>): string | undefined {
  const elements = Object.values(features).reduce((sum, feature) => {
    if (feature.type === 'vector') return sum + feature.length;
    return feature.type === 'image' ? sum + pixelsOf(feature.shape) : sum;
  }, 0);
  const { sampleElements: most } = limits;
  return elements > most
    ? `vectors and images have at most ${most} elements together (found ${elements})`
    : undefined;
}

/** The places of the values that a complete cross is of; of another none. */
function placesOf(
  { of, buckets }: Extract<Feature, { type: 'cross' }>,
  cells: Cells,
  all: Readonly<Record<string, Feature>>,
): readonly Places[] {
  if (buckets !== 'complete') return [];
  return of.map((name) => {
    const source = all[name];
    return placesOfValues(source?.type === 'category' ? (source.values ?? []) : [], cells);
  });
}

/** What is wrong with a complete cross of features. */
function problemsOfComplete(
  { of, buckets }: Extract<Feature, { type: 'cross' }>,
  features: Readonly<Record<string, Feature>>,
): readonly string[] {
  if (buckets !== 'complete') return [];
  const sizes = of.map((name) => {
    const source = features[name];
    const size = source?.type === 'category' ? source.values?.length : undefined;
    return { name, size, isThere: Object.hasOwn(features, name) };
  });
  if (sizes.some(({ isThere }) => !isThere)) return [];
  const open = sizes.find(({ size }) => size === undefined);
  if (open !== undefined)
    return [`complete is for categories with \`values\` (${open.name} has none)`];
  const combinations = combinationsOf(sizes.map(({ size = 0 }) => ({ size })));
  return combinations <= limits.categoryValues
    ? []
    : [`there are ${combinations} combinations, at most ${limits.categoryValues} are allowed`];
}

/** Kinds whose values others may take together. */
const sources: readonly Feature['type'][] = ['number', 'category'];

/** What is wrong with the features that others name, each with its path in a spec. */
export function problemsOfSources(
  features: Readonly<Record<string, Feature>>,
): { readonly path: string[]; readonly problem: string }[] {
  const problemsOf = (names: readonly string[], allowed: readonly Feature['type'][]) => {
    const wrong = names.flatMap((source) => {
      const type = Object.hasOwn(features, source) ? features[source]?.type : undefined;
      if (type !== undefined && allowed.includes(type)) return [];
      return [`${source} is ${type === undefined ? 'no feature' : `a ${type}`}`];
    });
    if (wrong.length === 0) return [];
    return [`names features of the type ${allowed.join(' or ')} (${wrong.join(', ')})`];
  };
  return Object.entries(features).flatMap(([name, feature]) => {
    const problems = (field: string, names: readonly string[], allowed = sources) =>
      problemsOf(names, allowed).map((problem) => ({
        path: ['features', name, field],
        problem,
      }));
    if (feature.type === 'lag')
      return [
        ...(feature.buckets !== undefined && feature.by === undefined
          ? [
              {
                path: ['features', name, 'buckets'],
                problem: 'are of `by`; name it, or leave them out',
              },
            ]
          : []),
        ...problems('by', feature.by ?? []),
        ...problems('source', feature.source === undefined ? [] : [feature.source], ['number']),
      ];
    const others =
      feature.type === 'cross'
        ? problemsOfComplete(feature, features).map((problem) => ({
            path: ['features', name, 'buckets'],
            problem,
          }))
        : [];
    return 'of' in feature ? [...problems('of', feature.of), ...others] : [];
  });
}

/**
 * What is wrong with target means, lags and vocabularies: how much they would keep, or how wide
 * they would be.
 */
export function problemsOfHistory(
  features: Readonly<Record<string, Feature>>,
  outputs: number,
): { readonly path: string[]; readonly problem: string }[] {
  const declared = Object.values(features);
  const targets = declared.flatMap((each) => (each.type === 'targetMean' ? [each] : []));
  const lags = declared.flatMap((each) => (each.type === 'lag' ? [lagOf(each, outputs)] : []));
  const sumOf = <Each>(all: readonly Each[], size: (each: Each) => number) =>
    all.reduce((sum, each) => sum + size(each), 0);
  const { targetCells, targetColumns, vocabularySizes } = limits;
  const vocabularies = declared.flatMap((each) =>
    each.type === 'category' && each.vocabulary !== undefined ? [each.vocabulary] : [],
  );
  const rules: readonly (readonly [what: string, found: number, most: number])[] = [
    [
      'target means have buckets times classes',
      sumOf(targets, (each) => each.buckets * outputs),
      targetCells,
    ],
    ['target means have columns times classes', targets.length * outputs, targetColumns],
    [
      'lags have buckets times their greatest step',
      sumOf(lags, ({ rows, depth }) => rows * depth),
      targetCells,
    ],
    ['vocabularies have places', sumOf(vocabularies, ({ size }) => size), vocabularySizes],
    [
      'lags have steps times classes',
      sumOf(lags, (lag) => lag.steps.length * lag.outputs),
      targetColumns,
    ],
  ];
  return rules.flatMap(([what, found, most]) =>
    found <= most
      ? []
      : [{ path: ['features'], problem: `${what}, at most ${most} together (found ${found})` }],
  );
}
