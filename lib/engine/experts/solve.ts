/**
 * The solution x of A · x = b, of a symmetric positive definite A, by its Cholesky factor; not
 * finite where A is none.
 *
 * @param matrix A, [size, size]
 * @param right b, [size]
 */
export function solved(matrix: ArrayLike<number>, right: Float64Array): Float64Array {
  const { length: size } = right;
  const factor = new Float64Array(size * size);
  const product = (i: number, j: number) => {
    let sum = 0;
    for (let k = 0; k < j; k++) sum += (factor[i * size + k] ?? 0) * (factor[j * size + k] ?? 0);
    return sum;
  };
  for (let j = 0; j < size; j++) {
    const diagonal = Math.sqrt((matrix[j * size + j] ?? 0) - product(j, j));
    factor[j * size + j] = diagonal;
    for (let i = j + 1; i < size; i++)
      factor[i * size + j] = ((matrix[i * size + j] ?? 0) - product(i, j)) / diagonal;
  }
  const x = right.slice();
  for (let i = 0; i < size; i++) {
    for (let k = 0; k < i; k++) x[i] = (x[i] ?? 0) - (factor[i * size + k] ?? 0) * (x[k] ?? 0);
    x[i] = (x[i] ?? 0) / (factor[i * size + i] ?? 0);
  }
  for (let i = size - 1; i >= 0; i--) {
    for (let k = i + 1; k < size; k++)
      x[i] = (x[i] ?? 0) - (factor[k * size + i] ?? 0) * (x[k] ?? 0);
    x[i] = (x[i] ?? 0) / (factor[i * size + i] ?? 0);
  }
  return x;
}
