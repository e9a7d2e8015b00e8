import * as z from 'zod';
import { columnName } from '../features/kinds/kind.ts';
import { type Feature, numbersOf } from '../features/kinds.ts';
import { type DeclaredLabel, outputCount } from '../features/task.ts';
import { strictObject } from '../parse.ts';
import { expertLimits } from './expert-limits.ts';

const of = z
  .array(columnName)
  .min(1)
  .refine((names) => new Set(names).size === names.length, 'names must be distinct')
  .optional()
  .describe('the features whose numbers are taken; all unless given');

/** `network.fourier`, and that of an expert. */
export const fourierSchema = strictObject({
  units: z.int().min(1).max(4_096).default(64).describe('how many there are'),
  bandwidth: z
    .number()
    .min(1e-3)
    .max(1e6)
    .optional()
    .describe(
      'how far apart samples are that have little to do with each other, in the unit of the ' +
        'numbers as the network sees them; 0.35 times the root of their count unless given',
    ),
  of,
});

/** `network.piecewiseLinear`, and that of an expert. */
export const piecewiseLinearSchema = strictObject({
  bins: z
    .int()
    .min(2)
    .max(64)
    .default(8)
    .describe('into how many parts the line of a number is cut'),
  of,
});

/** `network.quadratic`, and that of an expert. */
export const quadraticSchema = strictObject({ of });

/** Products of numbers. */
export type Quadratic = z.output<typeof quadraticSchema>;

/** Random Fourier features of numbers. */
export type Fourier = z.output<typeof fourierSchema>;

/** A piecewise linear encoding of numbers. */
export type PiecewiseLinear = z.output<typeof piecewiseLinearSchema>;

/** What a network takes besides its numbers, made of them. */
export type Derived = {
  readonly fourier?: Fourier | undefined;
  readonly piecewiseLinear?: PiecewiseLinear | undefined;
  readonly quadratic?: Quadratic | undefined;
};

/** How many squares and products of pairs so many numbers have. */
export function pairCount(numbers: number): number {
  return (numbers * (numbers + 1)) / 2;
}

/** How many random Fourier features, pieces and products there are. */
export type DerivedCounts = Readonly<Record<'periodic' | 'pieces' | 'products', number>>;

/** How many numbers are made of those of features. */
export function derivedCounts(
  { fourier, piecewiseLinear, quadratic }: Derived,
  { features, label }: Samples,
): DerivedCounts {
  const outputs = outputCount(label);
  const takenBy = ({ of }: { readonly of?: readonly string[] | undefined }) =>
    Object.entries(features).reduce((sum, [name, feature]) => {
      const isTaken = of?.includes(name) !== false;
      return isTaken ? sum + numbersOf(feature, outputs) : sum;
    }, 0);
  return {
    periodic: fourier?.units ?? 0,
    pieces: piecewiseLinear === undefined ? 0 : piecewiseLinear.bins * takenBy(piecewiseLinear),
    products: quadratic === undefined ? 0 : pairCount(takenBy(quadratic)),
  };
}

/** The parts of a spec that say which numbers there are. */
type Samples = {
  readonly features: Readonly<Record<string, Feature>>;
  readonly label: DeclaredLabel;
};

/** A network, or what stands for one. */
type Learner = Derived | { readonly topology: unknown } | { readonly predicts: unknown };

/** What is wrong with what a spec derives from numbers, each with its path. */
export function problemsOfDerived({
  features,
  label,
  network,
  online: { experts = [] },
}: Samples & {
  readonly network: Learner;
  readonly online: { readonly experts?: 'default' | readonly Learner[] | undefined };
}): { readonly path: string[]; readonly problem: string }[] {
  const outputs = outputCount(label);
  const numbersIn = (name: string) => {
    const feature = Object.hasOwn(features, name) ? features[name] : undefined;
    return feature === undefined ? 0 : numbersOf(feature, outputs);
  };
  const hasNumbers = (name: string) => numbersIn(name) > 0;
  const problemsOf = (path: string[], learner: Learner) =>
    (['fourier', 'piecewiseLinear', 'quadratic'] as const).flatMap((kind) => {
      const derived = kind in learner ? (learner as Derived)[kind] : undefined;
      if (derived === undefined) return [];
      const { of: taken = Object.keys(features) } = derived;
      const wrong = taken.filter((name) => !hasNumbers(name));
      const factors = taken.reduce((sum, name) => sum + numbersIn(name), 0);
      if (kind === 'quadratic' && factors > expertLimits.multipliedNumbers) {
        const allowed = `takes ${expertLimits.multipliedNumbers} numbers at most (found ${factors})`;
        return [{ path: [...path, kind], problem: `${allowed}; name features in "of"` }];
      }
      if (derived.of === undefined && wrong.length < taken.length) return [];
      if (wrong.length === 0) return [];
      const found = wrong.map((name) => `${name} is ${features[name]?.type ?? 'no feature'}`);
      const problem = `needs features with numbers (${found.join(', ')})`;
      return [{ path: [...path, kind, ...(derived.of === undefined ? [] : ['of'])], problem }];
    });
  return [
    ...problemsOf(['network'], network),
    ...(experts === 'default'
      ? []
      : experts.flatMap((expert, i) => problemsOf(['online', 'experts', String(i)], expert))),
  ];
}
