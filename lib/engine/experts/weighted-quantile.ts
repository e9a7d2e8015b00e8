/**
 * The least of some numbers that has such a share of their weight, with all that are no greater; 0
 * of none. (By parting them, of which one part goes on: of thousands of rows for each leaf of many
 * trees, sorting would take longer.)
 *
 * @param weights of each number; both are put in another order
 * @param quantile from 0 to 1
 */
export function weightedQuantile(
  numbers: Float64Array,
  weights: Float64Array,
  quantile: number,
): number {
  let [first, end] = [0, numbers.length];
  let wanted = quantile * weights.reduce((sum, weight) => sum + weight, 0);
  while (end - first > 1) {
    let [least, most] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
    for (let i = first; i < end; i++) {
      const number = numbers[i] ?? 0;
      if (number < least) least = number;
      if (number > most) most = number;
    }
    if (!(least < most)) break;
    // (Between two neighbours there is no middle.)
    const half = least / 2 + most / 2;
    const middle = half > least && half < most ? half : least;
    let [next, below] = [first, 0];
    for (let i = first; i < end; i++) {
      const [number = 0, weight = 0] = [numbers[i], weights[i]];
      if (number > middle) continue;
      numbers[i] = numbers[next] ?? 0;
      weights[i] = weights[next] ?? 0;
      numbers[next] = number;
      weights[next++] = weight;
      below += weight;
    }
    if (wanted <= below) end = next;
    else {
      wanted -= below;
      first = next;
    }
  }
  return numbers[first] ?? 0;
}
