import { columnsOf } from '../features/columns.ts';
import { type Derived, pairCount } from '../spec/derived-numbers.ts';
import type { Spec } from '../spec/spec.ts';

/** The number columns of a spec's features, or of those named, in their order. */
export function takenNumbers(spec: Spec, of: readonly string[] | undefined): readonly number[] {
  return columnsOf(spec).flatMap(({ name, offsets: { numberOffset }, behaviour: { width } }) =>
    of === undefined || of.includes(name)
      ? Array.from({ length: width.numbers }, (_, i) => numberOffset + i)
      : [],
  );
}

/** How many numbers a network takes besides, of each kind, made of those of a spec. */
export function derivedOf(
  spec: Spec,
  { fourier, piecewiseLinear, quadratic }: Derived,
): Readonly<Record<'periodic' | 'pieces' | 'products', number>> {
  const takenBy = ({ of }: { readonly of?: readonly string[] | undefined }) =>
    takenNumbers(spec, of).length;
  return {
    periodic: fourier?.units ?? 0,
    pieces: piecewiseLinear === undefined ? 0 : piecewiseLinear.bins * takenBy(piecewiseLinear),
    products: quadratic === undefined ? 0 : pairCount(takenBy(quadratic)),
  };
}
