import * as z from 'zod';
import { accepted } from '../../refusal.ts';
import type { FeatureBehaviour } from './kind.ts';

/** Of kinds whose missing values a constant or their mean may stand for. */
export const indicatorSchema = z
  .boolean()
  .optional()
  .describe(
    'whether one more number says that the value was missing and `missing` stands for it; with ' +
      '`mean` it does unless this is false',
  );

/** What a declared feature says of its missing values. */
export type SaidOfMissing = {
  readonly missing?: unknown;
  readonly indicator?: boolean | undefined;
};

/** Whether one more number of a declared feature says that its value was missing. */
export function hasIndicator({ missing, indicator = missing === 'mean' }: SaidOfMissing): boolean {
  return indicator;
}

/** Stands for a missing value, so that no value is taken for it: no cell is it. */
const absent = Symbol('a missing value');

/**
 * A behaviour with one more number behind its own, if its feature has one: 1 where a value was
 * missing, 0 otherwise.
 */
export function withIndicator(
  behaviour: FeatureBehaviour,
  feature: SaidOfMissing,
): FeatureBehaviour {
  if (!hasIndicator(feature)) return behaviour;
  const { width, missing, writer, asSource = (cell: unknown) => cell } = behaviour;
  const given = (cell: unknown) => (cell === absent ? missing : cell);
  return {
    ...behaviour,
    width: { ...width, numbers: width.numbers + 1 },
    missing: absent,
    asSource: (cell) => asSource(given(cell)),
    writer(offsets) {
      const write = writer(offsets);
      const place = offsets.numberOffset + width.numbers;
      return (cell, into, row) => {
        const written = write(given(cell), into, row);
        if (!written.ok) return written;
        into.raw[row * offsets.row.numbers + place] = Number(cell === absent);
        return accepted;
      };
    },
  };
}
