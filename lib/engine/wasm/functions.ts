import type { FunctionBuilder } from '../../wasm/assembler.ts';
import type { Local } from '../../wasm/integer-code.ts';

/**
 * The functions of mathematics on four float32 lanes, as polynomials of multiplications and
 * additions alone: the same bits on every processor. The coefficients are those of the Cephes
 * library (Moshier 1992), those of erf our own; test/engine/wasm/functions.test.ts bounds the
 * errors against float64.
 */

/** The Horner form of a polynomial, highest coefficient first. */
function polynomial(f: FunctionBuilder, x: Local, coefficients: readonly number[]): Local {
  const [first = 0, ...rest] = coefficients;
  return rest.reduce(
    (sum, coefficient) =>
      f.vector('f32x4.add', f.vector('f32x4.mul', sum, x), f.constant(coefficient)),
    f.constant(first),
  );
}

/** `a` where a mask is set, else `b`. */
export function select(f: FunctionBuilder, mask: Local, a: Local, b: Local): Local {
  return f.vector('v128.bitselect', a, b, mask);
}

const [add, sub, mul, div] = ['f32x4.add', 'f32x4.sub', 'f32x4.mul', 'f32x4.div'] as const;

/** 2ⁿ of int32 lanes from −126 to 127. */
function powerOfTwo(f: FunctionBuilder, n: Local): Local {
  return f.shift('i32x4.shl', f.vector('i32x4.add', n, f.integers(127)), 23);
}

/**
 * eˣ = 2ⁿ eʳ with |r| ≤ ½ ln 2 (Cody and Waite 1980). Beyond float32 it is ∞ or 0; NaN stays.
 */
export function exponential(f: FunctionBuilder, x: Local): Local {
  const above = f.vector('f32x4.pmax', x, f.constant(-104));
  const clamped = f.vector('f32x4.pmin', above, f.constant(89));
  const n = f.vector('f32x4.nearest', f.vector(mul, clamped, f.constant(Math.LOG2E)));
  const first = f.vector(sub, clamped, f.vector(mul, n, f.constant(0.693359375)));
  const r = f.vector(sub, first, f.vector(mul, n, f.constant(-2.1219444e-4)));
  const p = polynomial(
    f,
    r,
    [
      1.98756915e-4, 1.3981999507e-3, 8.3334519073e-3, 4.1665795894e-2, 1.6666665459e-1,
      5.0000001201e-1,
    ],
  );
  const power = f.vector(add, f.vector(mul, f.vector(mul, r, r), p), r);
  const one = f.vector(add, power, f.constant(1));
  // In two steps: 2ⁿ alone is no number where eˣ still is one.
  const whole = f.vector('i32x4.trunc_sat_f32x4_s', n);
  const half = f.shift('i32x4.shr_s', whole, 1);
  const rest = f.vector('i32x4.sub', whole, half);
  return f.vector(mul, f.vector(mul, one, powerOfTwo(f, half)), powerOfTwo(f, rest));
}

/** ln x = ln m + n ln 2 with √½ ≤ m < √2. Of 0 it is −∞, of less NaN. */
export function logarithm(f: FunctionBuilder, x: Local): Local {
  // Denormal numbers are scaled up first.
  const isSmall = f.vector('f32x4.lt', x, f.constant(2 ** -126));
  const scaled = select(f, isSmall, f.vector(mul, x, f.constant(2 ** 24)), x);
  const exponent = f.vector('i32x4.sub', f.shift('i32x4.shr_u', scaled, 23), f.integers(126));
  const shift = f.vector('v128.and', isSmall, f.integers(24));
  const whole = f.vector('f32x4.convert_i32x4_s', f.vector('i32x4.sub', exponent, shift));
  const fraction = f.vector(
    'v128.or',
    f.vector('v128.and', scaled, f.integers(0x007fffff)),
    f.integers(0x3f000000),
  );
  const isLow = f.vector('f32x4.lt', fraction, f.constant(Math.SQRT1_2));
  const n = f.vector(sub, whole, f.vector('v128.and', isLow, f.constant(1)));
  const doubled = f.vector(add, fraction, f.vector('v128.and', isLow, fraction));
  const m = f.vector(sub, doubled, f.constant(1));
  const square = f.vector(mul, m, m);
  const p = polynomial(
    f,
    m,
    [
      7.0376836292e-2, -1.151461031e-1, 1.167699874e-1, -1.2420140846e-1, 1.4249322787e-1,
      -1.6668057665e-1, 2.0000714765e-1, -2.4999993993e-1, 3.3333331174e-1,
    ],
  );
  const tail = f.vector(mul, f.vector(mul, p, m), square);
  const low = f.vector(add, tail, f.vector(mul, n, f.constant(-2.1219444e-4)));
  const halved = f.vector(sub, low, f.vector(mul, square, f.constant(0.5)));
  const sum = f.vector(add, f.vector(add, m, halved), f.vector(mul, n, f.constant(0.693359375)));
  const isInfinite = f.vector('f32x4.eq', x, f.constant(Number.POSITIVE_INFINITY));
  const finite = select(f, isInfinite, x, sum);
  const isZero = f.vector('f32x4.eq', x, f.constant(0));
  const positive = select(f, isZero, f.constant(Number.NEGATIVE_INFINITY), finite);
  // (Of NaN no comparison holds.)
  const isNumber = f.vector('f32x4.ge', x, f.constant(0));
  return select(f, isNumber, positive, f.constant(Number.NaN));
}

/** 1 / (1 + e⁻ˣ), of e^−|x| alone: it neither overflows nor loses what is small. */
export function logistic(f: FunctionBuilder, x: Local): Local {
  const e = exponential(f, f.vector('f32x4.neg', f.vector('f32x4.abs', x)));
  const isNegative = f.vector('f32x4.lt', x, f.constant(0));
  const numerator = select(f, isNegative, e, f.constant(1));
  return f.vector(div, numerator, f.vector(add, e, f.constant(1)));
}

/**
 * cos x = ± cos r or ± sin r of r = |x| − n · ½π with |r| ≤ ¼π, ½π in three parts (Cody and Waite
 * 1980). Beyond some thousands float32 does not say where on the circle x is.
 */
export function cosine(f: FunctionBuilder, x: Local): Local {
  const size = f.vector('f32x4.abs', x);
  const n = f.vector('f32x4.nearest', f.vector(mul, size, f.constant(2 / Math.PI)));
  const less = (from: Local, part: number) =>
    f.vector(sub, from, f.vector(mul, n, f.constant(part)));
  const rest = [1.5703125, 4.837512969970703e-4, 7.549789948768648e-8].reduce(less, size);
  const above = f.vector('f32x4.pmax', rest, f.constant(-1));
  const r = f.vector('f32x4.pmin', above, f.constant(1));
  const z = f.vector(mul, r, r);
  const p = polynomial(
    f,
    z,
    [2.443315711809948e-5, -1.388731625493765e-3, 4.166664568298827e-2, -0.5, 1],
  );
  const q = polynomial(f, z, [-1.9515295891e-4, 8.3321608736e-3, -1.6666654611e-1]);
  const sine = f.vector(add, f.vector(mul, f.vector(mul, q, z), r), r);
  const quarter = f.vector('i32x4.trunc_sat_f32x4_s', n);
  const isOdd = f.vector('i32x4.eq', f.vector('v128.and', quarter, f.integers(1)), f.integers(1));
  // Of the quarters 1 and 2 the sign is turned.
  const turned = f.vector('v128.and', f.vector('i32x4.add', quarter, f.integers(1)), f.integers(2));
  const sign = f.shift('i32x4.shl', turned, 30);
  return f.vector('v128.xor', select(f, isOdd, sine, p), sign);
}

/** tanh x: a polynomial near 0, 1 − 2 / (e²ˣ + 1) elsewhere. */
export function hyperbolicTangent(f: FunctionBuilder, x: Local): Local {
  const size = f.vector('f32x4.abs', x);
  const square = f.vector(mul, x, x);
  const p = polynomial(
    f,
    square,
    [-5.70498872745e-3, 2.06390887954e-2, -5.37397155531e-2, 1.33314422036e-1, -3.33332819422e-1],
  );
  const near = f.vector(add, f.vector(mul, f.vector(mul, p, square), x), x);
  const e = exponential(f, f.vector(add, size, size));
  const far = f.vector(
    sub,
    f.constant(1),
    f.vector(div, f.constant(2), f.vector(add, e, f.constant(1))),
  );
  const sign = f.vector('v128.and', x, f.integers(-0x80000000));
  const isFar = f.vector('f32x4.gt', size, f.constant(0.625));
  return select(f, isFar, f.vector('v128.or', far, sign), near);
}

/**
 * erf x: x + x · q(x²) near 0, and 1 − exp p(x) elsewhere. Both are fits of least maximal error, of
 * erf x / x − 1 up to 0.9 and of ln erfc x up to 4, from where on erf is 1.
 */
export function errorFunction(f: FunctionBuilder, x: Local): Local {
  const size = f.vector('f32x4.abs', x);
  const q = polynomial(
    f,
    f.vector(mul, x, x),
    [
      8.53884167605e-5, -8.18192789521e-4, 5.20443608166e-3, -2.68607528347e-2, 0.112837197235,
      -0.376126353104, 0.128379166803,
    ],
  );
  const near = f.vector(add, f.vector(mul, q, x), x);
  const p = polynomial(
    f,
    f.vector('f32x4.pmin', size, f.constant(4)),
    [
      -2.0909462758e-5, 4.323019944e-4, -4.16052238909e-3, 2.50914853991e-2, -0.10823660283,
      -0.63338666061, -1.12949515255, 1.705507638e-4,
    ],
  );
  const far = f.vector(sub, f.constant(1), exponential(f, p));
  const sign = f.vector('v128.and', x, f.integers(-0x80000000));
  const isFar = f.vector('f32x4.gt', size, f.constant(0.9));
  return select(f, isFar, f.vector('v128.or', far, sign), near);
}

/** eˣ − 1: a polynomial near 0, where the difference would lose all digits. */
export function exponentialMinusOne(f: FunctionBuilder, x: Local): Local {
  const p = polynomial(f, x, [1 / 40_320, 1 / 5_040, 1 / 720, 1 / 120, 1 / 24, 1 / 6, 1 / 2]);
  const near = f.vector(add, f.vector(mul, f.vector(mul, x, x), p), x);
  const far = f.vector(sub, exponential(f, x), f.constant(1));
  const isNear = f.vector('f32x4.lt', f.vector('f32x4.abs', x), f.constant(0.5));
  return select(f, isNear, near, far);
}

/** ln (1 + eˣ) = max(x, 0) + ln (1 + e^−|x|). */
export function softplus(f: FunctionBuilder, x: Local): Local {
  const e = exponential(f, f.vector('f32x4.neg', f.vector('f32x4.abs', x)));
  const tail = logarithmOfOnePlus(f, e);
  return f.vector(add, f.vector('f32x4.pmax', x, f.constant(0)), tail);
}

/** ln (1 + x) of numbers from 0 to 1: ln u of u = 1 + x, and what rounding u took away. */
function logarithmOfOnePlus(f: FunctionBuilder, x: Local): Local {
  const u = f.vector(add, x, f.constant(1));
  const lost = f.vector(sub, f.vector(sub, u, f.constant(1)), x);
  return f.vector(sub, logarithm(f, u), f.vector(div, lost, u));
}
