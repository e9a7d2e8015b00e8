import { columnsOf } from '../features/columns.ts';
import type { Spec } from '../spec/spec.ts';

/** The number columns of a spec's features, or of those named, in their order. */
export function takenNumbers(spec: Spec, of: readonly string[] | undefined): readonly number[] {
  return columnsOf(spec).flatMap(({ name, offsets: { numberOffset }, behaviour: { width } }) =>
    of === undefined || of.includes(name)
      ? Array.from({ length: width.numbers }, (_, i) => numberOffset + i)
      : [],
  );
}
