import * as z from 'zod';
import type { Ignored } from '../features/columns.ts';
import { limits } from '../limits.ts';
import { featureName } from './label-schema.ts';

/** Which features of samples are not read. */
export const ignoredSchema = z
  .union([z.array(featureName).max(limits.features), z.literal('others')])
  .describe(
    'features that samples may have and that are not read: those that a change of the spec took ' +
      'out are among them, so that samples of before can be learnt and senders need not hurry. ' +
      '`others`: all that are not declared; a misspelt name is not told then',
  );

/** What is wrong with the features that a spec ignores. */
export function problemsOfIgnored({ ignore, features }: Ignoring): readonly string[] {
  if (ignore === undefined || ignore === 'others') return [];
  return ignore
    .filter((name) => Object.hasOwn(features, name))
    .map((name) => `${name} is a feature, and cannot be ignored besides`);
}

/** The parts of a spec that say which features are read. */
type Ignoring = {
  readonly features: Readonly<Record<string, unknown>>;
  readonly ignore?: Ignored | undefined;
};

/**
 * A spec that can learn the samples of the one before: it ignores the features that it has not,
 * and, unless its author says what is ignored, what the one before ignores.
 */
export function withIgnored<Declared extends Ignoring>(
  before: Ignoring,
  after: Declared,
  said: Pick<Ignoring, 'ignore'>,
): Declared {
  const ignore = said.ignore ?? before.ignore ?? [];
  if (ignore === 'others') return { ...after, ignore };
  const names = [...ignore, ...Object.keys(before.features)];
  const left = names.filter((each) => !Object.hasOwn(after.features, each));
  const { ignore: _, ...own } = after;
  if (left.length === 0 && said.ignore === undefined) return own as Declared;
  return { ...after, ignore: [...new Set(left)] };
}
