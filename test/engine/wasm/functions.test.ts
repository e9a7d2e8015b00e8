import { describe, expect, it } from 'vitest';
import * as functions from '../../../lib/engine/wasm/functions.ts';
import { FunctionBuilder } from '../../../lib/wasm/assembler.ts';
import type { Local } from '../../../lib/wasm/integer-code.ts';
import { encodeModule } from '../../../lib/wasm/module.ts';
import { instantiate } from '../../../lib/wasm/runtime.ts';

type Emit = (f: FunctionBuilder, x: Local) => Local;

/** A function of float32 numbers, run as a kernel would run it. */
async function run(emit: Emit, values: readonly number[]): Promise<Float32Array> {
  const f = new FunctionBuilder({ parameters: 1 });
  f.store(0, 64, emit(f, f.load(0, 64)));
  const module = encodeModule({
    functions: [f],
    exports: { run: 0 },
    memoryBytes: 64 + values.length * 4 + 64,
    segments: [],
  });
  const { memory, call } = await instantiate(module);
  const data = new Float32Array(memory.buffer, 64, values.length);
  data.set(values);
  for (let i = 0; i < values.length; i += 4) call('run', i * 4);
  return data.slice();
}

/** The distance of two float32 numbers to their neighbours. */
function unitOf(value: number): number {
  const size = Math.max(Math.abs(value), 2 ** -126);
  return 2 ** (Math.floor(Math.log2(size)) - 23);
}

/** Numbers of every size, evenly and by their exponents. */
function samples(from: number, to: number): number[] {
  const values: number[] = [];
  for (let i = 0; i <= 100_000; i++) values.push(Math.fround(from + ((to - from) * i) / 100_000));
  for (let exponent = -149; exponent < 128; exponent++) {
    for (let i = 0; i < 40; i++) {
      const value = Math.fround(2 ** exponent * (1 + i / 40));
      for (const signed of [value, -value]) if (signed >= from && signed <= to) values.push(signed);
    }
  }
  while (values.length % 4 !== 0) values.push(from);
  return values;
}

/** erf x by its series of positive terms, e^−x² Σ 2ⁿ x²ⁿ⁺¹ / (2n + 1)!!. */
function erf(x: number): number {
  if (Math.abs(x) > 6) return Math.sign(x);
  let [term, sum] = [x, x];
  for (let n = 1; n < 200; n++) {
    term *= (2 * x * x) / (2 * n + 1);
    sum += term;
  }
  return (2 / Math.sqrt(Math.PI)) * Math.exp(-x * x) * sum;
}

const cases: readonly [string, Emit, (x: number) => number, readonly [number, number]][] = [
  ['exponential', functions.exponential, Math.exp, [-110, 88.7]],
  ['logarithm', functions.logarithm, Math.log, [0, 3.4e38]],
  ['cosine', functions.cosine, Math.cos, [-100, 100]],
  ['logistic', functions.logistic, (x) => 1 / (1 + Math.exp(-x)), [-100, 100]],
  ['hyperbolic tangent', functions.hyperbolicTangent, Math.tanh, [-20, 20]],
  ['error function', functions.errorFunction, erf, [-10, 10]],
  ['exponential minus one', functions.exponentialMinusOne, Math.expm1, [-30, 30]],
  [
    'softplus',
    functions.softplus,
    (x) => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x))),
    [-80, 80],
  ],
];

describe('the functions of the wasm engine', () => {
  it.each(cases)('%s is within two units in the last place', async (_, emit, exact, range) => {
    const values = samples(...range);
    const results = await run(emit, values);
    let worst = { error: 0, x: 0 };
    results.forEach((result, i) => {
      const x = values[i] ?? 0;
      const expected = exact(x);
      const error =
        result === Math.fround(expected) ? 0 : Math.abs(result - expected) / unitOf(expected);
      if (!(error <= worst.error)) worst = { error, x };
    });
    expect(worst.error, `at ${worst.x}`).toBeLessThanOrEqual(2);
  });

  const { POSITIVE_INFINITY: infinity } = Number;
  it.each([
    [
      'exponential',
      functions.exponential,
      [-infinity, infinity, Number.NaN, -200],
      [0, infinity, Number.NaN, 0],
    ],
    [
      'logarithm',
      functions.logarithm,
      [0, infinity, Number.NaN, -1],
      [-infinity, infinity, Number.NaN, Number.NaN],
    ],
    ['logistic', functions.logistic, [-infinity, infinity, Number.NaN, 0], [0, 1, Number.NaN, 0.5]],
    [
      'hyperbolic tangent',
      functions.hyperbolicTangent,
      [-infinity, infinity, Number.NaN, 0],
      [-1, 1, Number.NaN, 0],
    ],
    [
      'error function',
      functions.errorFunction,
      [-infinity, infinity, Number.NaN, 0],
      [-1, 1, Number.NaN, 0],
    ],
    [
      'softplus',
      functions.softplus,
      [-infinity, infinity, Number.NaN, 200],
      [0, infinity, Number.NaN, 200],
    ],
  ] as const)(
    '%s of what is no finite number is what mathematics says',
    async (_, emit, values, expected) => {
      expect([...(await run(emit, values))]).toEqual(expected);
    },
  );
});
