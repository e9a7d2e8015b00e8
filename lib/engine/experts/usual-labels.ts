/** A label is kept as one no further than so many usual distances from the latest mean. */
const mostDistances = 50;
/** Labels from which what is usual is known, and how much the last one says of it, at least. */
const [fewLabels, leastNews] = [20, 0.005];
/** How many times that bound a label tells of what is usual. */
const mostTold = 4;
/** No usual distance is smaller, in the unit of labels as networks learn them. */
const leastDistance = 0.01;

/**
 * Bounds a label that is kept: one that is enormous would be said of all that is like it.
 *
 * @param labels those that are kept; changed in place
 * @param first where its numbers begin
 * @param usualLabels of each number the latest mean, how far labels are from that on average, and
 *   how many there were, [width, 3]; changed in place
 */
export function boundLabels(labels: Float32Array, first: number, usualLabels: Float32Array): void {
  for (let output = 0; 3 * output < usualLabels.length; output++) {
    const [mean = 0, usual = 0, count = 0] = usualLabels.subarray(3 * output, 3 * output + 3);
    const most =
      count < fewLabels ? Number.POSITIVE_INFINITY : mostDistances * Math.max(usual, leastDistance);
    const whole = (labels[first + output] ?? 0) - mean;
    const way = Math.min(Math.max(whole, -most), most);
    const news = Math.max(leastNews, 1 / (count + 1));
    labels[first + output] = mean + way;
    // (What comes again and again becomes usual soon.)
    const away = usual + news * (Math.min(Math.abs(whole), mostTold * most) - usual);
    usualLabels.set([mean + news * way, away, count + 1], 3 * output);
  }
}
