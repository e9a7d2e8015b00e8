import type { ObjectStore } from '../bucket/object-store.ts';
import type { PreparedDataset } from '../datasets/manifest.ts';
import { readHeldOut } from '../datasets/shards.ts';
import { type EncodedSamples, gatherSamples } from '../features/samples.ts';
import { type Figures, figuresOf, finiteFigures } from '../metrics/figures.ts';
import { predictHeldOut } from '../model/held-out-experts.ts';
import type { Model } from '../model/model.ts';
import type { Parameters } from '../state/state.ts';

/** Products of one evaluation: a minute or two of an invocation, which may evaluate five times. */
const mostWork = 2e11;

/** So many rows there is time to evaluate. */
export function rowsInTime({ compiled }: Pick<Model, 'compiled'>): number {
  return Math.max(1, Math.floor(mostWork / Math.max(compiled.work.predicted, 1)));
}

/**
 * The held-out rows on which a job's weights are evaluated: all of them, or, of a network whose
 * samples take so long that an invocation would end before, every so many.
 *
 * @throws as {@link readHeldOut}
 */
export async function evaluatedRows(
  store: ObjectStore,
  prepared: PreparedDataset,
  model: Model,
): Promise<EncodedSamples> {
  const rows = await readHeldOut(store, prepared);
  const step = Math.ceil(rows.count / rowsInTime(model));
  if (step <= 1) return rows;
  const places = Int32Array.from({ length: Math.ceil(rows.count / step) }, (_, i) => i * step);
  return gatherSamples(rows, places, model.encoder.layout);
}

/** What the held-out rows come to, but for what is long: it would be kept for each epoch. */
export async function heldOutFigures(
  model: Model,
  parameters: Parameters,
  heldOut: EncodedSamples,
): Promise<Figures> {
  const predictions = await predictHeldOut(model, parameters, heldOut);
  const all = figuresOf(model.spec, predictions, heldOut, parameters.statistics.classNames);
  const { confusion: _, outputs: __, ...figures } = all;
  return finiteFigures(figures);
}
