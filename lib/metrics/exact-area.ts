import type { Floats } from '../features/samples.ts';
import type { Labelled } from './scores.ts';

/** Areas under ROC curves of single predictions, as long as there are few. */
export type ExactAreas = {
  /** @param predictions probabilities of true, or of each class, [count, outputs] */
  readonly add: (predictions: Floats, samples: Labelled) => void;
  /**
   * The area, or the mean over those of each class against all others; undefined of more
   * predictions than are kept, NaN where no class has labels of both kinds.
   */
  readonly finish: () => number | undefined;
};

/** So many predictions, of all classes, are kept; they are sorted in some tenths of a second. */
const mostKept = 2 ** 21;

/**
 * Areas of the only output, weighted, or of the first so many, each against all others and without
 * weights (Fawcett 2006).
 */
export function createExactAreas(outputs: number, classes: number): ExactAreas {
  const isBinary = outputs === 1;
  const width = isBinary ? 1 : classes;
  let parts: { readonly predictions: Float32Array; readonly samples: Labelled }[] = [];
  let rows = 0;
  const isOver = () => rows * width > mostKept;
  const curveOf = (place: number) => {
    const curve = { scores: new Float32Array(rows), weights: new Float64Array(rows) };
    let at = 0;
    for (const { predictions, samples } of parts)
      for (let row = 0; row < samples.labels.length; row++) {
        const isTrue = samples.labels[row] === (isBinary ? 1 : place);
        const weight = isBinary ? (samples.weights[row] ?? 0) : 1;
        curve.scores[at] = predictions[row * outputs + place] ?? 0;
        curve.weights[at++] = isTrue ? weight : -weight;
      }
    return curve;
  };
  return {
    add(predictions, { labels, weights }) {
      rows += labels.length;
      if (isOver()) parts = [];
      else
        parts.push({
          predictions: Float32Array.from(predictions),
          samples: { labels: labels.slice(), weights: weights.slice() },
        });
    },
    finish() {
      if (isOver()) return undefined;
      const areas = Array.from({ length: width }, (_, place) => areaOf(curveOf(place)));
      const known = areas.filter((area) => Number.isFinite(area));
      return known.reduce((sum, area) => sum + area, 0) / known.length;
    },
  };
}

/** Probabilities, and the weights of their samples: below 0 where the label is another. */
type Curve = { readonly scores: Float32Array; readonly weights: Float64Array };

/** The share of pairs of a true and another one in order, ties as half (Hanley and McNeil 1982). */
function areaOf({ scores, weights }: Curve): number {
  // Of numbers from 0 on, the bits are in their order; the row is behind them, exact in float64.
  const bits = new Uint32Array(scores.buffer);
  const order = Float64Array.from(scores, (score, row) =>
    score > 0 ? (bits[row] ?? 0) * mostKept + row : row,
  ).sort();
  let [ordered, below, trues] = [0, 0, 0];
  for (let at = 0; at < order.length; ) {
    const key = Math.floor((order[at] ?? 0) / mostKept);
    let [positive, negative] = [0, 0];
    for (; at < order.length && Math.floor((order[at] ?? 0) / mostKept) === key; at++) {
      const weight = weights[(order[at] ?? 0) % mostKept] ?? 0;
      if (weight > 0) positive += weight;
      else negative -= weight;
    }
    ordered += positive * (below + negative / 2);
    below += negative;
    trues += positive;
  }
  return ordered / (below * trues);
}
