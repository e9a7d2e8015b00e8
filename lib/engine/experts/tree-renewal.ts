import { logarithm, sigmoid, softmax } from '../../arithmetic.ts';
import { binned } from './bins.ts';
import { boosted, type Told } from './boosting.ts';
import { readScale } from './scales.ts';
import { type Grove, sharesOfOthers, type TreeMemory } from './tree-memory.ts';
import { restate } from './tree-scales.ts';
import { readyTrees, type Trees, toScores } from './tree-scores.ts';

/** Trees are grown anew once so large a part of their samples is new, and as many as `fewest`. */
export const newShare = 0.2;
const fewest = 8;
/** How many of the newest samples those follow that do not last. */
const newest = 500;
/** Those of another window stay until this one has so large a part of its samples. */
const shareOfWindow = 0.25;
/** How much is left of what was lost with each share, after the next renewal. */
const lossesKept = 0.8;
/** No error of a regression says more, in squared units; no share of a class is smaller. */
const [mostSquare, leastShare] = [9, 1e-30];

/** Trees of today's samples, if it is time for all of them, or for those that do not last. */
export function renewed(grove: Grove, memory: TreeMemory): TreeMemory {
  const {
    place: [next = 0, since = 0, sinceOthers = 0],
    grown: [grown = 0],
  } = memory;
  const count = keptCount(grove, memory);
  const isDue = (kept: number, more: number) =>
    more >= Math.max(fewest, newShare * Math.min(kept, count)) &&
    count >= shareOfWindow * Math.min(kept, grown);
  const areAllDue = isDue(grove.size, since);
  if (!areAllDue && (grown === 0 || !isDue(newest, sinceOthers))) return memory;
  const { size, shape } = grove;
  const latest = (most: number) => {
    const own = Math.min(most, count);
    return Int32Array.from({ length: own }, (_, i) => (next - own + i + size) % size);
  };
  let own = grown === 0 ? memory : judged(grove, memory, latest(sinceOthers));
  if (areAllDue) {
    restate(grove, own, count);
    own = { ...own, ...grownOver(grove, own, latest(count)), grown: Float32Array.of(count) };
  }
  own.place.set([next, areAllDue ? 0 : since, 0]);
  if (shape.lasting === shape.trees) return own;
  const places = latest(newest);
  return { ...own, ...grownOver(grove, own, places, scoresOf(grove, own, { places, share: 0 })) };
}

function keptCount({ size }: Grove, { weights, place: [next = 0] }: TreeMemory): number {
  return (weights[size - 1] ?? 0) > 0 ? size : next;
}

/**
 * Trees that are grown over samples that are kept: those that last, or the others.
 *
 * @param scores what those that last say of the samples, if it is the others that are grown
 */
function grownOver(
  grove: Grove,
  memory: TreeMemory,
  places: Int32Array,
  scores?: Float64Array,
): Trees {
  const { numbers, categories, shape } = grove;
  const columns = Array.from({ length: numbers + categories.length }, (_, column) => {
    const [values, width, at] =
      column < numbers
        ? ([memory.numbers, numbers, column] as const)
        : ([memory.categories, categories.length, column - numbers] as const);
    return Float32Array.from(places, (place) => values[place * width + at] ?? 0);
  });
  const weights = Float64Array.from(places, (place) => memory.weights[place] ?? 0);
  const mean = weights.reduce((sum, weight) => sum + weight, 0) / places.length;
  const told = {
    labels: labelsOf(grove, memory, places),
    weights: weights.map((weight) => weight / mean),
    units: unitsOf(grove, memory),
    ...(scores && { scores }),
  };
  return boosted(binned(columns, numbers, shape.isFine), told, shape, memory);
}

/** What is a usual distance of labels, [outputs]: 1 of those that are standardised. */
function unitsOf({ shape, kind }: Grove, { labelScale, usualLabels }: TreeMemory): Float64Array {
  return Float64Array.from({ length: kind.width }, (_, output) => {
    const isStandardised = readScale(labelScale, output).scale > 0;
    return shape.isFine && !isStandardised ? usualLabels[3 * output + 1] || 1 : 1;
  });
}

function labelsOf({ kind: { width } }: Grove, memory: TreeMemory, places: Int32Array) {
  const labels = new Float32Array(places.length * width);
  places.forEach((place, row) => {
    labels.set(memory.labels.subarray(place * width, (place + 1) * width), row * width);
  });
  return labels;
}

/**
 * What trees say of samples that are kept, [places, outputs].
 *
 * @param share what those are times that do not last
 */
function scoresOf(
  { numbers, categories, shape }: Grove,
  memory: TreeMemory,
  { places, share }: { readonly places: Int32Array; readonly share: number },
): Float64Array {
  const { outputs, lasting } = shape;
  const trees = { ...readyTrees(memory), share: Float32Array.of(share) };
  const asked = share === 0 ? { ...shape, trees: lasting } : shape;
  const row = new Float32Array(numbers + categories.length);
  const scores = new Float64Array(places.length * outputs);
  const { length: width } = categories;
  places.forEach((place, i) => {
    row.set(memory.numbers.subarray(place * numbers, (place + 1) * numbers));
    row.set(memory.categories.subarray(place * width, (place + 1) * width), numbers);
    toScores(trees, asked, { row, numbers }, scores.subarray(i * outputs, (i + 1) * outputs));
  });
  return scores;
}

/**
 * Finds out by samples that came since the trees were grown how much those are to count that follow
 * the newest: where the world stands still, what few samples tell is noise.
 */
function judged(grove: Grove, memory: TreeMemory, places: Int32Array): TreeMemory {
  const { outputs } = grove.shape;
  const told = { labels: labelsOf(grove, memory, places), units: unitsOf(grove, memory) };
  const [with0, with1] = [0, 1].map((share) => scoresOf(grove, memory, { places, share }));
  const scores = new Float64Array(outputs);
  let total = 0;
  const sums = new Float64Array(sharesOfOthers.length);
  places.forEach((place, row) => {
    const weight = memory.weights[place] ?? 0;
    total += weight;
    sharesOfOthers.forEach((share, i) => {
      for (let output = 0; output < outputs; output++) {
        const [without = 0, whole = 0] = [with0, with1].map((all) => all?.[row * outputs + output]);
        scores[output] = without + share * (whole - without);
      }
      sums[i] = (sums[i] ?? 0) + weight * lossOf(grove, scores, told, row);
    });
  });
  const losses = memory.losses.map((loss, i) => lossesKept * loss + (sums[i] ?? 0) / total);
  const least = losses.reduce((a, b) => Math.min(a, b));
  const share = Float32Array.of(sharesOfOthers[losses.indexOf(least)] ?? 1);
  return { ...memory, losses, share };
}

function lossOf(
  { kind: { width }, shape: { task, quantile } }: Grove,
  scores: Float64Array,
  { labels, units }: Pick<Told, 'labels' | 'units'>,
  row: number,
): number {
  const [label = 0] = labels.subarray(row * width);
  if (task === 'binary') {
    const share = sigmoid(scores[0] ?? 0);
    return -logarithm(Math.max(label > 0 ? share : 1 - share, leastShare));
  }
  if (task === 'multiclass') return -logarithm(Math.max(softmax(scores)[label] ?? 0, leastShare));
  return scores.reduce((sum, score, output) => {
    const way = (score - (labels[row * width + output] ?? 0)) / (units[output] ?? 1);
    if (quantile !== undefined)
      return sum + Math.min((way > 0 ? 1 - quantile : -quantile) * way, mostSquare) / width;
    return sum + Math.min(way * way, mostSquare) / width;
  }, 0);
}
