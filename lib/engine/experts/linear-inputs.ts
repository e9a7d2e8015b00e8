import { cosineOfPi } from '../../arithmetic.ts';
import { type Column, columnsOf, layoutOf } from '../../features/columns.ts';
import {
  categoryInput,
  fourierLayer,
  piecewiseLayer,
  quadraticSides,
  tablesOfInput,
} from '../../network/weight-names.ts';
import { derivedCounts } from '../../spec/derived-numbers.ts';
import { isSparse } from '../../spec/sparse.ts';
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
  /** Those whose weights may have to do with one another. */
  readonly dense: Int32Array;
  /** Those of long texts, most of which are 0 in any sample: their weights are apart. */
  readonly sparse: Int32Array;
  readonly categories: number;
  /** Random Fourier features, which have the rows after those of categories. */
  readonly periodic: number;
  /** Pieces of numbers, which have the next ones, and products of numbers, which have the last. */
  readonly pieces: number;
  readonly products: number;
  readonly tables: readonly LinearTable[];
};

/**
 * How many dense weights an output has: its bias's, and those of dense numbers and what is made of
 * numbers.
 */
export function denseWidth({ dense, periodic, pieces, products }: LinearInputs): number {
  return 1 + dense.length + periodic + pieces + products;
}

/**
 * The rows of a network's kernel that dense weights have, but for that of its bias.
 *
 * @param rows of the kernel; categories have those behind numbers
 */
export function kernelRowsOf(inputs: LinearInputs, rows: number): Int32Array {
  const { dense, periodic, pieces, products } = inputs;
  const derived = periodic + pieces + products;
  const kernelRows = new Int32Array(dense.length + derived);
  kernelRows.set(dense);
  for (let i = 0; i < derived; i++) kernelRows[dense.length + i] = rows - derived + i;
  return kernelRows;
}

/** Its inputs, by the spec of such a network. */
export function linearInputsOf(spec: Spec): LinearInputs {
  const { numberWidth, categoryCount } = layoutOf(spec);
  const derived = derivedCounts('topology' in spec.network ? {} : spec.network, spec);
  const columns = columnsOf(spec);
  const apart = sparseColumns(spec, columns);
  const places = Array.from({ length: numberWidth }, (_, place) => place);
  let first = 0;
  const tables = columns.flatMap(({ name, offsets, behaviour: { input } }) => {
    if (input.kind !== 'table') return [];
    const tensor = tablesOfInput(categoryInput(name)).at(-1) ?? '';
    const { categoryOffset } = offsets;
    const table = { tensor, categoryOffset, first, rows: input.rows };
    first += input.rows;
    return [table];
  });
  return {
    numbers: numberWidth,
    dense: Int32Array.from(places.filter((place) => !apart.has(place))),
    sparse: Int32Array.from(places.filter((place) => apart.has(place))),
    categories: categoryCount,
    ...derived,
    tables,
  };
}

/** (Before revision 23 there were none.) */
function sparseColumns(
  { features, revision = 0 }: Spec,
  columns: readonly Column[],
): ReadonlySet<number> {
  const places = new Set<number>();
  if (revision < 23) return places;
  for (const { name, offsets, behaviour } of columns) {
    const feature = features[name];
    if (feature === undefined || !isSparse(feature)) continue;
    for (let i = 0; i < behaviour.width.numbers; i++) places.add(offsets.numberOffset + i);
  }
  return places;
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
 * Writes what the dense weights of a sample are multiplied by: a 1, its dense numbers, and what is
 * made of numbers.
 *
 * @param numbers [numbers]
 * @param dense places of those that are dense
 * @param into {@link denseWidth}
 */
export function writeLinearInputs(
  { waves, lines, factors }: DerivedInputs,
  numbers: Float32Array,
  dense: Int32Array,
  into: Float64Array,
): void {
  into[0] = 1;
  if (dense.length === numbers.length) into.set(numbers, 1);
  else
    dense.forEach((place, i) => {
      into[i + 1] = numbers[place] ?? 0;
    });
  const cosines = into.subarray(1 + dense.length, 1 + dense.length + waves.bias.length);
  addUp(waves, numbers, cosines);
  cosines.forEach((angle, unit) => {
    cosines[unit] = Math.SQRT2 * cosine(angle);
  });
  const start = 1 + dense.length + cosines.length;
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
