import * as z from 'zod';
import { accepted } from '../../refusal.ts';
import type { FeatureBehaviour } from './kind.ts';

/** Of kinds whose missing values a constant may stand for. */
export const indicatorSchema = z
  .literal(true)
  .optional()
  .describe('one more number says that the value was missing and `missing` stands for it');

/** Stands for a missing value, so that no value is taken for it: no cell is it. */
const absent = Symbol('a missing value');

/** A behaviour with one more number behind its own: 1 where a value was missing, 0 otherwise. */
export function withIndicator(
  behaviour: FeatureBehaviour,
  indicator: true | undefined,
): FeatureBehaviour {
  if (indicator === undefined) return behaviour;
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
