import { columnsOf } from '../features/columns.ts';
import type { Spec } from '../spec/spec.ts';

/** What it means that a file, or all of several, has not some columns that a spec names. */
export function absentLines(spec: Spec, absent: readonly string[]): readonly string[] {
  const standIns = new Map(
    columnsOf(spec).map(({ column, behaviour }) => [column, behaviour.missing]),
  );
  return absent.map((column) =>
    standIns.get(column) === undefined
      ? `  no column ${column} in it, and rows without it are refused`
      : `  no column ${column} in it: it counts as missing`,
  );
}
