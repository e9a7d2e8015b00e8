import { labelWidth } from '../../features/task.ts';
import { type Expert, predictsBy } from '../../spec/experts-schema.ts';
import type { Spec } from '../../spec/spec.ts';
import type { EngineState, Tensor, Tensors } from '../engine.ts';
import type { Known } from './mixture.ts';

const [recentLabels, labelQuantile] = [
  'weights/mixture/recent_labels',
  'weights/mixture/label_quantile',
] as const;

/** So many are kept of each output: fewer of many, since each is sorted with each message. */
function mostOf(outputs: number): number {
  return Math.max(128, Math.min(1_024, Math.floor(4_096 / outputs)));
}

/** A label as two float32, of which the second is what the first misses; and its weight. */
const labelElements = 3;

/**
 * What the expert that predicts labels on average keeps of them where a quantile is predicted: the
 * latest, of which it says that quantile. (Of specs since revision 19; before, it said the mean.)
 */
export function emptyRecentLabels(spec: Spec, experts: readonly Expert[]): Tensors {
  const isThere = experts.some((each) => predictsBy(each, 'prior'));
  if (!isThere || !saysQuantile(spec)) return {};
  const width = labelWidth(spec.label);
  // How many came, and the latest.
  const elements = 1 + labelElements * mostOf(width);
  return {
    [recentLabels]: { shape: [width, elements], data: new Float32Array(width * elements) },
    [labelQuantile]: { shape: [width], data: new Float32Array(width) },
  };
}

/** Whether labels on average are their quantile. */
export function saysQuantile({ task, loss, revision = 0 }: Spec): boolean {
  return task === 'regression' && typeof loss === 'object' && revision >= 19;
}

/** Whether a tensor is one that begins anew where a file, or a model of before, has none. */
export function isOfRecentLabels(name: string): boolean {
  return name === recentLabels || name === labelQuantile;
}

/** A state that knows some more labels, in their order. */
export function withRecent(
  { loss }: Spec,
  state: EngineState,
  { own, weights }: Pick<Known, 'own' | 'weights'>,
): EngineState {
  const kept = state.tensors[recentLabels];
  if (kept === undefined || own === undefined || typeof loss !== 'object') return state;
  const { labels, scale } = own;
  const [width = 1, elements = 1] = kept.shape;
  const most = mostOf(width);
  const data = kept.data.slice();
  labels.forEach((label, i) => {
    const row = (i % width) * elements;
    const count = data[row] ?? 0;
    const place = row + 1 + labelElements * (count % most);
    // (Behind the last place comes the first again.)
    data[row] = count + 1 === 2 * most ? most : count + 1;
    data[place] = label;
    data[place + 1] = label - (data[place] ?? 0);
    data[place + 2] = weights?.[Math.floor(i / width)] ?? 1;
  });
  const said = Float32Array.from({ length: width }, (_, output) => {
    const { mean = 0, deviation = 1 } = scale?.outputs[output] ?? {};
    const row = data.subarray(output * elements, (output + 1) * elements);
    return deviation > 0 ? (quantileOf(row, loss.quantile) - mean) / deviation : 0;
  });
  const known = {
    [recentLabels]: { ...kept, data },
    [labelQuantile]: { shape: [width], data: said },
  };
  return { ...state, tensors: { ...state.tensors, ...known } };
}

/** What such a state says of each output, as the networks learn them; undefined of another. */
export function knownQuantile({ tensors }: Pick<EngineState, 'tensors'>): Tensor | undefined {
  return tensors[labelQuantile];
}

/** The label that is kept below which such a share of them lies, by their weights. */
function quantileOf(kept: Float32Array, share: number): number {
  const at = (label: number, element: number) => kept[1 + labelElements * label + element] ?? 0;
  const length = Math.min(kept[0] ?? 0, (kept.length - 1) / labelElements);
  const labels = Array.from({ length }, (_, i) => ({
    label: at(i, 0) + at(i, 1),
    weight: at(i, 2),
  })).sort((a, b) => a.label - b.label);
  let above = (1 - share) * labels.reduce((sum, { weight }) => sum + weight, 0);
  for (const { label, weight } of labels.toReversed()) {
    above -= weight;
    if (above <= 0) return label;
  }
  return labels[0]?.label ?? 0;
}
