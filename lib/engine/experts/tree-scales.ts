import { greatestFloat32 } from '../../arithmetic.ts';
import type { ColumnScales, LabelScale } from '../../features/scaling.ts';
import { readScale, type Scale, writeScale } from './scales.ts';
import type { Grove, TreeMemory } from './tree-memory.ts';

/** How many times its scale before a number's may be for what is kept of it to be restated. */
const mostRatio = 1e6;
/** What is kept is no larger than this: it fits float32, whatever it is restated by. */
const greatest = greatestFloat32 / 4;

/** What standardised numbers are times, and what is added, to be standardised otherwise. */
export type Ways = { readonly ratios: Float64Array; readonly shifts: Float64Array };

/** What leads from numbers as they come to numbers as they are kept. */
export function waysToKept(
  { keptNumberScale, numberScale }: Pick<TreeMemory, 'keptNumberScale' | 'numberScale'>,
  numbers: number,
): Ways {
  return waysOf(numbers, numberScale, keptNumberScale);
}

function waysOf(numbers: number, from: Float32Array, to: Float32Array): Ways {
  const ratios = new Float64Array(numbers).fill(1);
  const shifts = new Float64Array(numbers);
  for (let column = 0; column < numbers; column++) {
    const [before, after] = [readScale(from, column), readScale(to, column)];
    // (While a number has not varied nothing is known of it; and what would be told by rounding
    // alone stays as it is.)
    const ratio = after.scale / before.scale;
    if (!(ratio * mostRatio >= 1 && ratio <= mostRatio)) continue;
    ratios[column] = ratio;
    shifts[column] = (before.mean - after.mean) * after.scale;
  }
  return { ratios, shifts };
}

/** A value that is kept. */
export function bounded(value: number): number {
  return Math.min(Math.max(value, -greatest), greatest);
}

/** What leads from labels as they are kept to labels as they are standardised now. */
export function labelWay(
  { keptLabelScale, labelScale }: Pick<TreeMemory, 'keptLabelScale' | 'labelScale'>,
  output: number,
): { readonly ratio: number; readonly shift: number } {
  return wayBetween(readScale(keptLabelScale, output), readScale(labelScale, output));
}

/** The same of values by the mean and the deviation of which they are standardised. */
export function wayBetween(
  from: Scale,
  to: Scale,
): { readonly ratio: number; readonly shift: number } {
  if (!(from.scale > 0 && to.scale > 0)) return { ratio: 1, shift: 0 };
  return { ratio: from.scale / to.scale, shift: (from.mean - to.mean) / to.scale };
}

/** Notes how what comes is standardised; what is kept is the same from the first time on. */
export function followScales(
  { places }: Grove,
  { numberScale, keptNumberScale, labelScale, keptLabelScale }: TreeMemory,
  numbers: ColumnScales | undefined,
  labels: LabelScale | undefined,
): void {
  const note = (now: Float32Array, kept: Float32Array, at: number, scale: Scale) => {
    if (!(scale.scale > 0)) return;
    writeScale(now, at, scale);
    if (readScale(kept, at).scale === 0) writeScale(kept, at, scale);
  };
  places.forEach((place, column) => {
    const [mean = 0, scale = 0] = [numbers?.mean[place], numbers?.scale[place]];
    note(numberScale, keptNumberScale, column, { mean, scale });
  });
  labels?.outputs.forEach(({ mean, deviation: scale }, output) => {
    note(labelScale, keptLabelScale, output, { mean, scale });
  });
}

/** Says what is kept in numbers and labels as they are standardised now. */
export function restate({ numbers: width, kind }: Grove, memory: TreeMemory, count: number): void {
  const { numbers, labels, usualLabels } = memory;
  const { numberScale, keptNumberScale, labelScale, keptLabelScale } = memory;
  const { ratios, shifts } = waysOf(width, keptNumberScale, numberScale);
  for (let i = 0; i < count * width; i++) {
    const [ratio = 1, shift = 0] = [ratios[i % width], shifts[i % width]];
    numbers[i] = bounded(ratio * (numbers[i] ?? 0) + shift);
  }
  for (let output = 0; output < kind.width; output++) {
    const { ratio, shift } = labelWay(memory, output);
    for (let i = output; i < count * kind.width; i += kind.width)
      labels[i] = bounded(ratio * (labels[i] ?? 0) + shift);
    const [mean = 0, usual = 0] = usualLabels.subarray(3 * output, 3 * output + 2);
    usualLabels.set([ratio * mean + shift, ratio * usual], 3 * output);
  }
  keptNumberScale.set(numberScale);
  keptLabelScale.set(labelScale);
}
