/**
 * How sure a linear model is of its weights: their covariance in units of the noise of one sample,
 * as U · diag(D) · Uᵀ. Elements of U above its diagonal and D on it are packed by columns, so that
 * it stays a covariance in float32, whatever is rounded (Bierman 1977).
 */
export type Covariance = Float32Array;

/** No weight is ever so sure that it learns nothing. */
const leastVariance = 1e-30;

/** Elements of a packed covariance of so many weights. */
export function packedSize(weights: number): number {
  return (weights * (weights + 1)) / 2;
}

/** Weights that have nothing to do with one another, each with a variance. */
export function independent(variances: readonly number[]): Covariance {
  const packed = new Float32Array(packedSize(variances.length));
  variances.forEach((variance, i) => {
    packed[packedSize(i + 1) - 1] = variance;
  });
  return packed;
}

/**
 * Says the same, in place, of the weights of other inputs: `inputs[i] = ratios[i] · others[i] +
 * shifts[i]`, of which the first is the 1 of the bias. (U · diag(D) · Uᵀ stays one: the matrix that
 * takes weights to others is upper triangular.)
 *
 * @returns whether float32 holds it; nothing is changed if it does not
 */
export function restate(
  covariance: Covariance,
  ratios: Float64Array,
  shifts: Float64Array,
): boolean {
  const restated = new Float32Array(covariance.length);
  for (let column = 0, first = 0; column < ratios.length; first += ++column) {
    const ratio = ratios[column] ?? 1;
    const open = (covariance[first + column] ?? 0) * ratio * ratio;
    restated[first + column] = Math.max(leastVariance, open);
    if (column === 0) continue;
    let top = (covariance[first] ?? 0) + (shifts[column] ?? 0);
    for (let i = 1; i < column; i++) {
      const element = covariance[first + i] ?? 0;
      top += (shifts[i] ?? 0) * element;
      restated[first + i] = ((ratios[i] ?? 1) * element) / ratio;
    }
    restated[first] = top / ratio;
  }
  if (!restated.every(Number.isFinite)) return false;
  covariance.set(restated);
  return true;
}

/**
 * Learns, in place, that a linear function of the weights was measured.
 *
 * @param inputs the coefficients of the weights, [weights]
 * @param noise the variance of the measurement without what the weights leave open
 * @param gain is written: covariance · inputs, [weights]
 * @returns the variance of the measurement with it
 */
export function measure(
  covariance: Covariance,
  inputs: Float64Array,
  noise: number,
  gain: Float64Array,
): number {
  let variance = noise;
  for (let column = 0, first = 0; column < inputs.length; first += ++column) {
    let input = inputs[column] ?? 0;
    for (let i = 0; i < column; i++) input += (covariance[first + i] ?? 0) * (inputs[i] ?? 0);
    const open = covariance[first + column] ?? 0;
    const own = open * input;
    const before = variance;
    variance += input * own;
    covariance[first + column] = Math.max(leastVariance, (open * before) / variance);
    for (let i = 0; i < column; i++) {
      const element = covariance[first + i] ?? 0;
      const earlier = gain[i] ?? 0;
      covariance[first + i] = element - (input / before) * earlier;
      gain[i] = earlier + element * own;
    }
    gain[column] = own;
  }
  return variance;
}
