import * as z from 'zod';
import { columnName } from '../features/kinds/kind.ts';
import { type Feature, numbersOf } from '../features/kinds.ts';
import { type DeclaredLabel, outputCount } from '../features/task.ts';
import { strictObject } from '../parse.ts';

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
  of: z
    .array(columnName)
    .min(1)
    .refine((names) => new Set(names).size === names.length, 'names must be distinct')
    .optional()
    .describe('the features whose numbers are taken; all unless given'),
});

/** Random Fourier features of numbers. */
export type Fourier = z.output<typeof fourierSchema>;

/** A network, or what stands for one. */
type Learner =
  | { readonly fourier?: Fourier | undefined }
  | { readonly topology: unknown }
  | { readonly predicts: unknown };

/** What is wrong with the Fourier features of a spec, each with its path. */
export function problemsOfFourier({
  features,
  label,
  network,
  online: { experts = [] },
}: {
  readonly features: Readonly<Record<string, Feature>>;
  readonly label: DeclaredLabel;
  readonly network: Learner;
  readonly online: { readonly experts?: 'default' | readonly Learner[] | undefined };
}): { readonly path: string[]; readonly problem: string }[] {
  const outputs = outputCount(label);
  const hasNumbers = (name: string) => {
    const feature = Object.hasOwn(features, name) ? features[name] : undefined;
    return feature !== undefined && numbersOf(feature, outputs) > 0;
  };
  const problemsOf = (path: string[], learner: Learner) => {
    const fourier = 'fourier' in learner ? learner.fourier : undefined;
    if (fourier === undefined) return [];
    const { of = Object.keys(features) } = fourier;
    const wrong = of.filter((name) => !hasNumbers(name));
    if (fourier.of === undefined && wrong.length < of.length) return [];
    if (wrong.length === 0) return [];
    const found = wrong.map((name) => `${name} is ${features[name]?.type ?? 'no feature'}`);
    const problem = `needs features with numbers (${found.join(', ')})`;
    const own = [...path, 'fourier', ...(fourier.of === undefined ? [] : ['of'])];
    return [{ path: own, problem }];
  };
  return [
    ...problemsOf(['network'], network),
    ...(experts === 'default'
      ? []
      : experts.flatMap((expert, i) => problemsOf(['online', 'experts', String(i)], expert))),
  ];
}
