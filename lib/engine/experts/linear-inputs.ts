import { cosineOfPi } from '../../arithmetic.ts';
import { columnsOf, layoutOf } from '../../features/columns.ts';
import {
  categoryInput,
  fourierLayer,
  piecewiseLayer,
  quadraticSides,
  tablesOfInput,
} from '../../network/weight-names.ts';
import { derivedCounts } from '../../spec/derived-numbers.ts';
import type { Spec } from '../../spec/spec.ts';
import type { Tensor, Tensors } from '../engine.ts';

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
  /** Random Fourier features, which have the rows after those of categories. */
  readonly periodic: number;
  /** Pieces of numbers, which have the next ones, and products of numbers, which have the last. */
  readonly pieces: number;
  readonly products: number;
  readonly tables: readonly LinearTable[];
};

/** How many dense weights an output has: its bias's, and those of numbers and what is made of them. */
export function denseWidth({ numbers, periodic, pieces, products }: LinearInputs): number {
  return 1 + numbers + periodic + pieces + products;
}

/** Its inputs, by the spec of such a network. */
export function linearInputsOf(spec: Spec): LinearInputs {
  const { numberWidth, categoryCount } = layoutOf(spec);
  const derived = derivedCounts('topology' in spec.network ? {} : spec.network, spec);
  let first = 0;
  const tables = columnsOf(spec).flatMap(({ name, offsets, behaviour: { input } }) => {
    if (input.kind !== 'table') return [];
    const tensor = tablesOfInput(categoryInput(name)).at(-1) ?? '';
    const { categoryOffset } = offsets;
    const table = { tensor, categoryOffset, first, rows: input.rows };
    first += input.rows;
    return [table];
  });
  return { numbers: numberWidth, categories: categoryCount, ...derived, tables };
}

/** Sums of numbers that something is made of: W, [numbers, units], and b, [units]. */
type Sums = { readonly kernel: Float32Array; readonly bias: Float32Array };

/** What a network takes beside its numbers, made of them. */
export type DerivedInputs = {
  /** Of random Fourier features, √2 · cos(numbers · W + b). */
  readonly waves: Sums;
  /** Of a piecewise linear encoding, numbers · W + b from 0 to 1. */
  readonly lines: Sums;
  /** Of products of numbers, the places of both factors. */
  readonly factors: readonly Int32Array[];
};

/** Those of a state. */
export function derivedInputsOf(tensors: Tensors): DerivedInputs {
  const own = (name: string) => tensors[`weights/${name}`]?.data ?? new Float32Array(0);
  const [frequencies, phases] = [own(`${fourierLayer}/frequencies`), own(`${fourierLayer}/phases`)];
  const [kernel, bias] = [own(`${piecewiseLayer}/kernel`), own(`${piecewiseLayer}/bias`)];
  const factors = quadraticSides.map((side) => picked(tensors[`weights/${side}/kernel`]));
  return { waves: { kernel: frequencies, bias: phases }, lines: { kernel, bias }, factors };
}

/** Which number each unit of a kernel is. @param kernel [numbers, units], a 1 for each unit */
function picked(kernel: Tensor | undefined): Int32Array {
  const [, units = 0] = kernel?.shape ?? [];
  const places = new Int32Array(units);
  kernel?.data.forEach((value, at) => {
    if (value === 1) places[at % units] = Math.floor(at / units);
  });
  return places;
}

/**
 * Writes what the dense weights of a sample are multiplied by: a 1, its numbers, and what is made
 * of them.
 *
 * @param numbers [numbers]
 * @param into {@link denseWidth}
 */
export function writeLinearInputs(
  { waves, lines, factors }: DerivedInputs,
  numbers: Float32Array,
  into: Float64Array,
): void {
  into[0] = 1;
  into.set(numbers, 1);
  const cosines = into.subarray(1 + numbers.length, 1 + numbers.length + waves.bias.length);
  addUp(waves, numbers, cosines);
  cosines.forEach((angle, unit) => {
    cosines[unit] = Math.SQRT2 * cosine(angle);
  });
  const start = 1 + numbers.length + cosines.length;
  const pieces = into.subarray(start, start + lines.bias.length);
  addUp(lines, numbers, pieces);
  pieces.forEach((share, unit) => {
    pieces[unit] = Math.min(Math.max(share, 0), 1);
  });
  const products = into.subarray(start + pieces.length);
  const [left, right] = factors;
  for (let unit = 0; unit < products.length; unit++)
    products[unit] = (numbers[left?.[unit] ?? 0] ?? 0) * (numbers[right?.[unit] ?? 0] ?? 0);
}

/** Writes numbers · W + b. @param into [units] */
function addUp({ kernel, bias }: Sums, numbers: Float32Array, into: Float64Array): void {
  into.set(bias);
  numbers.forEach((number, i) => {
    for (let unit = 0; unit < into.length; unit++)
      into[unit] = (into[unit] ?? 0) + number * (kernel[i * into.length + unit] ?? 0);
  });
}

function cosine(angle: number): number {
  const turn = (Math.abs(angle) / Math.PI) % 2;
  return cosineOfPi(turn <= 1 ? turn : 2 - turn);
}
