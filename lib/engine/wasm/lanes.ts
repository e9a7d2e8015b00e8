import type { FunctionBuilder } from '../../wasm/assembler.ts';
import { type Instruction, lanes } from '../../wasm/instructions.ts';
import type { Local } from '../../wasm/integer-code.ts';

/** A mask of the first lanes. */
export function firstLanes(f: FunctionBuilder, count: number): Local {
  const lane = (i: number) => (i < count ? -1 : 0);
  return f.integers(lane(0), lane(1), lane(2), lane(3));
}

/** Vectors that cover some columns, each with how many of its lanes count. */
export function vectorsOf(columns: number): number[] {
  const whole = Array.from({ length: Math.floor(columns / lanes) }, () => lanes);
  return columns % lanes > 0 ? [...whole, columns % lanes] : whole;
}

/** The sum of the lanes of up to four vectors, each in its lane: (0 + 1) + (2 + 3). */
export function addAcross(f: FunctionBuilder, vectors: readonly Local[]): Local {
  const [a = 0, b = a, c = a, d = b] = vectors;
  const pairs = (x: Local, y: Local) =>
    f.vector('f32x4.add', f.shuffle(x, y, 0, 4, 2, 6), f.shuffle(x, y, 1, 5, 3, 7));
  // [a01, b01, a23, b23] and the same of c and d.
  const [first, second] = [pairs(a, b), pairs(c, d)];
  return f.vector(
    'f32x4.add',
    f.shuffle(first, second, 0, 1, 4, 5),
    f.shuffle(first, second, 2, 3, 6, 7),
  );
}

/** What an instruction makes of all lanes of a vector, (0 ∘ 1) ∘ (2 ∘ 3), in each of them. */
export function acrossAll(f: FunctionBuilder, x: Local, combine: Instruction): Local {
  const pairs = f.vector(combine, x, f.shuffle(x, x, 1, 0, 3, 2));
  return f.vector(combine, pairs, f.shuffle(pairs, pairs, 2, 3, 0, 1));
}
