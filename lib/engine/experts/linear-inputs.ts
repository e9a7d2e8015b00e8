import { cosineOfPi } from '../../arithmetic.ts';
import { columnsOf, layoutOf } from '../../features/columns.ts';
import { piecesOf } from '../../network/taken-numbers.ts';
import {
  categoryInput,
  fourierLayer,
  piecewiseLayer,
  tablesOfInput,
} from '../../network/weight-names.ts';
import type { Derived } from '../../spec/derived-numbers.ts';
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
  /** Random Fourier features, which have the rows after those of categories. */
  readonly periodic: number;
  /** Pieces of numbers, which have the last ones. */
  readonly pieces: number;
  readonly tables: readonly LinearTable[];
};

/** Its inputs, by the spec of such a network. */
export function linearInputsOf(spec: Spec): LinearInputs {
  const { numberWidth, categoryCount } = layoutOf(spec);
  const { fourier, piecewiseLinear }: Derived = 'topology' in spec.network ? {} : spec.network;
  const periodic = fourier?.units ?? 0;
  const pieces = piecewiseLinear === undefined ? 0 : piecesOf(spec, piecewiseLinear);
  let first = 0;
  const tables = columnsOf(spec).flatMap(({ name, offsets, behaviour: { input } }) => {
    if (input.kind !== 'table') return [];
    const tensor = tablesOfInput(categoryInput(name)).at(-1) ?? '';
    const { categoryOffset } = offsets;
    const table = { tensor, categoryOffset, first, rows: input.rows };
    first += input.rows;
    return [table];
  });
  return { numbers: numberWidth, categories: categoryCount, periodic, pieces, tables };
}

/** Sums of numbers that something is made of: W, [numbers, units], and b, [units]. */
type Sums = { readonly kernel: Float32Array; readonly bias: Float32Array };

/** What a network takes beside its numbers, made of them. */
export type DerivedInputs = {
  /** Of random Fourier features, √2 · cos(numbers · W + b). */
  readonly waves: Sums;
  /** Of a piecewise linear encoding, numbers · W + b from 0 to 1. */
  readonly lines: Sums;
};

/** Those of a state. */
export function derivedInputsOf(tensors: Tensors): DerivedInputs {
  const own = (name: string) => tensors[`weights/${name}`]?.data ?? new Float32Array(0);
  const [frequencies, phases] = [own(`${fourierLayer}/frequencies`), own(`${fourierLayer}/phases`)];
  const [kernel, bias] = [own(`${piecewiseLayer}/kernel`), own(`${piecewiseLayer}/bias`)];
  return { waves: { kernel: frequencies, bias: phases }, lines: { kernel, bias } };
}

/**
 * Writes what the dense weights of a sample are multiplied by: a 1, its numbers, and what is made
 * of them.
 *
 * @param numbers [numbers]
 * @param into [1 + numbers + periodic + pieces]
 */
export function writeLinearInputs(
  { waves, lines }: DerivedInputs,
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
  const pieces = into.subarray(1 + numbers.length + cosines.length);
  addUp(lines, numbers, pieces);
  pieces.forEach((share, unit) => {
    pieces[unit] = Math.min(Math.max(share, 0), 1);
  });
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
