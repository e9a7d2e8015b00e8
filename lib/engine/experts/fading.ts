import { exponential, wholePower } from '../../arithmetic.ts';

/** A base of powers, with its natural logarithm. */
export type Base = { readonly base: number; readonly logarithm: number };

/** How much is left after so many samples, or so much of their weights. */
export function power({ base, logarithm }: Base, exponent: number): number {
  return Number.isInteger(exponent)
    ? wholePower(base, exponent)
    : exponential(exponent * logarithm);
}
