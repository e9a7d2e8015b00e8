import type { ObjectStore } from '../bucket/object-store.ts';
import type { PreparedDataset } from '../datasets/manifest.ts';
import { readHeldOut } from '../datasets/shards.ts';
import { type EncodedSamples, gatherSamples } from '../features/samples.ts';
import type { Model } from '../model/model.ts';

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
