import { z } from 'zod';
import { limits } from '../limits.ts';
import { type Cells, cellsAsWritten } from './cells.ts';
import { categoryBehaviour, categorySchema } from './kinds/category.ts';
import { crossBehaviour, crossSchema } from './kinds/cross.ts';
import type { FeatureBehaviour } from './kinds/kind.ts';
import { lagBehaviour, lagSchema } from './kinds/lag.ts';
import { numberBehaviour, numberSchema } from './kinds/number.ts';
import { targetMeanBehaviour, targetMeanSchema } from './kinds/target-mean.ts';
import { textBehaviour, textSchema } from './kinds/text.ts';
import { timestampBehaviour, timestampSchema } from './kinds/timestamp.ts';
import { vectorBehaviour, vectorSchema } from './kinds/vector.ts';

/** One feature of a sample, as a spec declares it. */
export const featureSchema = z.discriminatedUnion('type', [
  numberSchema,
  vectorSchema,
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
 */
export function behaviourOf(feature: Feature, cells: Cells, outputs: number): FeatureBehaviour {
  switch (feature.type) {
    case 'number':
      return numberBehaviour(feature, cells);
    case 'vector':
      return vectorBehaviour(feature, cells);
    case 'category':
      return categoryBehaviour(feature, cells);
    case 'cross':
      return crossBehaviour(feature, cells);
    case 'targetMean':
      return targetMeanBehaviour(feature, cells, outputs);
    case 'lag':
      return lagBehaviour(feature, cells, outputs);
    case 'timestamp':
      return timestampBehaviour(feature, cells);
    case 'text':
      return textBehaviour(feature, cells);
  }
}

/** Kinds whose values others may take together. */
const sources: readonly Feature['type'][] = ['number', 'category'];

/** What is wrong with the features that others name, each with its path in a spec. */
export function problemsOfSources(
  features: Readonly<Record<string, Feature>>,
): { readonly path: string[]; readonly problem: string }[] {
  const problemOf = (source: string, allowed: readonly Feature['type'][]) => {
    const type = Object.hasOwn(features, source) ? features[source]?.type : undefined;
    if (type !== undefined && allowed.includes(type)) return [];
    const found = type === undefined ? 'no feature' : `a ${type}`;
    return [`names features of the type ${allowed.join(' or ')} (${source} is ${found})`];
  };
  return Object.entries(features).flatMap(([name, feature]) => {
    const problems = (field: string, names: readonly string[], allowed = sources) =>
      names
        .flatMap((source) => problemOf(source, allowed))
        .map((problem) => ({ path: ['features', name, field], problem }));
    if (feature.type === 'lag')
      return [
        ...problems('by', feature.by ?? []),
        ...problems('source', feature.source === undefined ? [] : [feature.source], ['number']),
      ];
    return 'of' in feature ? problems('of', feature.of) : [];
  });
}

/**
 * What is wrong with target means and lags: how much they would keep, or how wide they would be.
 */
export function problemsOfTargets(
  features: Readonly<Record<string, Feature>>,
  outputs: number,
): { readonly path: string[]; readonly problem: string }[] {
  const targets = Object.values(features).flatMap((feature) =>
    feature.type === 'targetMean' ? [feature] : [],
  );
  const cells = targets.reduce((sum, { buckets }) => sum + buckets * outputs, 0);
  const columns = targets.length * outputs;
  const problems: string[] = [];
  if (cells > limits.targetCells)
    problems.push(
      `target means have buckets times classes, at most ${limits.targetCells} together (found ${cells})`,
    );
  if (columns > limits.targetColumns)
    problems.push(
      `target means times classes may be ${limits.targetColumns} at most (found ${columns})`,
    );
  const lags = Object.values(features).flatMap((feature) =>
    feature.type === 'lag' ? [lagBehaviour(feature, cellsAsWritten, outputs).lag ?? []].flat() : [],
  );
  const values = lags.reduce((sum, { rows, depth }) => sum + rows * depth, 0);
  const lagColumns = lags.reduce((sum, lag) => sum + lag.steps.length * lag.outputs, 0);
  if (values > limits.targetCells)
    problems.push(
      `lags have buckets times the greatest step, at most ${limits.targetCells} together ` +
        `(found ${values}); give fewer buckets`,
    );
  if (lagColumns > limits.targetColumns)
    problems.push(
      `steps of lags times classes may be ${limits.targetColumns} at most (found ${lagColumns})`,
    );
  return problems.map((problem) => ({ path: ['features'], problem }));
}
