import { labelWidth } from '../../features/task.ts';
import type { Expert } from '../../spec/experts-schema.ts';
import type { Spec } from '../../spec/spec.ts';
import type { EngineState, Tensor, Tensors } from '../engine.ts';
import type { Known } from './mixture.ts';

const [recentLabels, labelQuantile] = [
  'weights/mixture/recent_labels',
  'weights/mixture/label_quantile',
] as const;

/** So many are kept of each output. */
const most = 1_024;
/** How many came, and the latest, each as two float32: the second is what the first misses. */
const rowElements = 1 + 2 * most;

/**
 * What the expert that predicts labels on average keeps of them where a quantile is predicted: the
 * latest, of which it says that quantile. (Of specs since revision 19; before, it said the mean.)
 */
export function emptyRecentLabels(spec: Spec, experts: readonly Expert[]): Tensors {
  const isThere = experts.some((each) => 'predicts' in each && each.predicts === 'prior');
  if (!isThere || !saysQuantile(spec)) return {};
  const width = labelWidth(spec.label);
  return {
    [recentLabels]: { shape: [width, rowElements], data: new Float32Array(width * rowElements) },
    [labelQuantile]: { shape: [width], data: new Float32Array(width) },
  };
}

/** Whether labels on average are their quantile. */
export function saysQuantile({ task, loss, revision = 0 }: Spec): boolean {
  return task === 'regression' && typeof loss === 'object' && revision >= 19;
}

/** A state that knows some more labels, in their order; of samples that weigh nothing, none. */
export function withRecent(
  { loss }: Spec,
  state: EngineState,
  { own, weights }: Pick<Known, 'own' | 'weights'>,
): EngineState {
  const kept = state.tensors[recentLabels];
  if (kept === undefined || own === undefined || typeof loss !== 'object') return state;
  const { labels, scale } = own;
  const [width = 1] = kept.shape;
  const data = kept.data.slice();
  labels.forEach((label, i) => {
    if (weights?.[Math.floor(i / width)] === 0) return;
    const row = (i % width) * rowElements;
    const count = data[row] ?? 0;
    const place = row + 1 + 2 * (count % most);
    data[row] = count + 1 === 2 * most ? most : count + 1;
    data[place] = label;
    data[place + 1] = label - (data[place] ?? 0);
  });
  const said = Float32Array.from({ length: width }, (_, output) => {
    const { mean = 0, deviation = 1 } = scale?.outputs[output] ?? {};
    const row = data.subarray(output * rowElements, (output + 1) * rowElements);
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

/** The least of the labels that are kept below or at which such a share of them lies. */
function quantileOf(kept: Float32Array, share: number): number {
  const count = Math.min(kept[0] ?? 0, most);
  const values = Float64Array.from(
    { length: count },
    (_, i) => (kept[1 + 2 * i] ?? 0) + (kept[2 + 2 * i] ?? 0),
  ).sort();
  return values[Math.min(values.length - 1, Math.floor(share * values.length))] ?? 0;
}
