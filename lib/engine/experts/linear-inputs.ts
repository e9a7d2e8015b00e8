import { cosineOfPi } from '../../arithmetic.ts';
import { columnsOf, layoutOf } from '../../features/columns.ts';
import { categoryInput, fourierLayer, tablesOfInput } from '../../network/weight-names.ts';
import type { Spec } from '../../spec/spec.ts';
import type { Tensors } from '../engine.ts';

/** The rows of a category in the linear part of a network. */
export type LinearTable = {
  /** Its tensor in a state, [rows, outputs]. */
  readonly tensor: string;
  readonly categoryOffset: number;
  /** Its rows among those of all tables. */
  readonly first: number;
  readonly rows: number;
};

/** What a network without hidden layers is linear in. */
export type LinearInputs = {
  /** Numbers, which have the first rows of its kernel. */
  readonly numbers: number;
  readonly categories: number;
  /** Random Fourier features, which have the last ones. */
  readonly periodic: number;
  readonly tables: readonly LinearTable[];
};

/** Its inputs, by the spec of such a network. */
export function linearInputsOf(spec: Spec): LinearInputs {
  const { numberWidth, categoryCount } = layoutOf(spec);
  const periodic = 'topology' in spec.network ? 0 : (spec.network.fourier?.units ?? 0);
  let first = 0;
  const tables = columnsOf(spec).flatMap(({ name, offsets, behaviour: { input } }) => {
    if (input.kind !== 'table') return [];
    const tensor = tablesOfInput(categoryInput(name)).at(-1) ?? '';
    const { categoryOffset } = offsets;
    const table = { tensor, categoryOffset, first, rows: input.rows };
    first += input.rows;
    return [table];
  });
  return { numbers: numberWidth, categories: categoryCount, periodic, tables };
}

/** What random Fourier features are made of: W, [numbers, periodic], and b, [periodic]. */
export type Waves = { readonly frequencies: Float32Array; readonly phases: Float32Array };

/** Those of a state. */
export function wavesOf(tensors: Tensors): Waves {
  const own = (name: string) =>
    tensors[`weights/${fourierLayer}/${name}`]?.data ?? new Float32Array(0);
  return { frequencies: own('frequencies'), phases: own('phases') };
}

/**
 * Writes what the dense weights of a sample are multiplied by: a 1, its numbers, and the random
 * Fourier features √2 · cos(numbers · W + b).
 *
 * @param numbers [numbers]
 * @param into [1 + numbers + periodic]
 */
export function writeLinearInputs(
  { frequencies, phases }: Waves,
  numbers: Float32Array,
  into: Float64Array,
): void {
  into[0] = 1;
  into.set(numbers, 1);
  const waves = into.subarray(1 + numbers.length);
  waves.set(phases);
  numbers.forEach((number, i) => {
    for (let unit = 0; unit < waves.length; unit++)
      waves[unit] = (waves[unit] ?? 0) + number * (frequencies[i * waves.length + unit] ?? 0);
  });
  for (let unit = 0; unit < waves.length; unit++)
    waves[unit] = Math.SQRT2 * cosine(waves[unit] ?? 0);
}

function cosine(angle: number): number {
  const turn = (Math.abs(angle) / Math.PI) % 2;
  return cosineOfPi(turn <= 1 ? turn : 2 - turn);
}
