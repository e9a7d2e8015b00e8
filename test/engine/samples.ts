import { createEncoder } from '../../lib/features/encoder.ts';
import { hashIntegers } from '../../lib/features/hash.ts';
import type { EncodedSamples } from '../../lib/features/samples.ts';
import type { Spec } from '../../lib/spec/spec.ts';

/** A number from −1 to 1 that only its place decides. */
export function draw(...place: number[]): number {
  return hashIntegers(7, ...place) / 2 ** 31 - 1;
}

/** Samples of a spec whose values only their places decide. */
export function samplesOf(spec: Spec, count: number): EncodedSamples {
  const samples = Array.from({ length: count }, (_, i) => ({
    features: Object.fromEntries(
      Object.entries(spec.features).map(([name, feature], j) => [
        name,
        feature.type === 'vector'
          ? Array.from({ length: feature.length }, (_, k) => draw(i, j, k))
          : feature.type === 'number'
            ? draw(i, j)
            : ['a', 'b', 'c'][(i * 7) % 3],
      ]),
    ),
    label:
      spec.task === 'regression'
        ? labelOf(spec, (output) => 3 * draw(i, 99, ...output))
        : spec.task === 'binary'
          ? draw(i, 99) > 0
          : (spec.label.classes?.[i % spec.label.classes.length] ?? ''),
    weight: 1 + (i % 3),
  }));
  const encoding = createEncoder(spec).encode(samples);
  if (encoding.refused.length > 0)
    throw new Error(`refused: ${JSON.stringify(encoding.refused[0])}`);
  return asEnginesTake(encoding.samples);
}

/** A number, or one for each output. */
function labelOf({ label }: Spec, number: (output: readonly number[]) => number): unknown {
  if (label.outputs === undefined) return number([]);
  return Object.fromEntries(label.outputs.map((name, output) => [name, number([output])]));
}

/** Samples as an engine takes them: their numbers as they came, in float32. */
export function asEnginesTake(samples: EncodedSamples): EncodedSamples {
  const numbers = Float32Array.from(samples.raw);
  return { ...samples, numbers, raw: numbers };
}
