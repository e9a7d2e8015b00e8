import type { ObjectStore } from '../bucket/object-store.ts';
import { bytesOfObject, type PinnedObject } from '../datasets/byte-source.ts';
import { assertHeldOut, columnsToRead, heldOutRule, refusingUnread } from '../datasets/held-out.ts';
import { type DatasetFiles, heldOutDataset, pinObjects } from '../datasets/pin-objects.ts';
import { readSamples } from '../datasets/read-samples.ts';
import { createRowTally, type RowSums, TooManyRefused } from '../datasets/tally.ts';
import { invalid, isOfKind } from '../errors.ts';
import { assertPlaces, type NamedClasses, withClassesOf } from '../features/classes.ts';
import { createEncoder } from '../features/encoder.ts';
import { withoutOutliers } from '../features/outliers.ts';
import type { Ports } from '../ports/ports.ts';
import type { Spec } from '../spec/spec.ts';
import { dataOfDataset } from './start-job.ts';

/** What a batch job would find in a dataset. */
export type DatasetCheck = Pick<RowSums, 'refusedRows' | 'refused' | 'unknown'> & {
  readonly files: number;
  /** Columns that the spec names and a file has not, each once: they count as missing there. */
  readonly absent: readonly string[];
  /** Rows, refused ones included. */
  readonly rows: number;
  /** Why a job would fail; absent if it would train. */
  readonly failure?: string;
};

/**
 * Reads a dataset as a batch job of a model would, and says what it would refuse and why, before it
 * runs.
 *
 * @param onRows called now and then with the rows so far
 */
export async function checkDataset(
  { store }: Pick<Ports, 'store'>,
  spec: Spec,
  asked: DatasetFiles,
  onRows: (rows: number) => void = () => undefined,
): Promise<DatasetCheck> {
  const objects = await objectsOfJob(store, spec, asked);
  const encoder = createEncoder(spec);
  const { layout } = encoder;
  const tally = createRowTally(spec);
  let known: NamedClasses = {};
  const absent = new Set<string>();
  const isOut = heldOutRule(spec);
  const withoutUnread = refusingUnread(spec, layout);
  const columns = columnsToRead(spec);
  let [learnt, heldOut] = [0, 0];
  const sums = { files: objects.length, refusedRows: 0, refused: [], unknown: {} };
  try {
    for (const object of objects) {
      const file = { name: object.key, bytes: bytesOfObject(store, object), columns };
      for await (const chunk of readSamples(spec, file)) {
        const encoded = withoutUnread(chunk, encoder.encode(chunk.samples));
        known = withClassesOf(known, encoded.samples, layout);
        assertPlaces(layout, known);
        const judged = withoutOutliers(encoder, encoded);
        for (const column of chunk.absent()) absent.add(column);
        const row = tally.rows();
        for (const index of judged.accepted)
          if (isOut(chunk, { row: row + index, index })) heldOut += 1;
          else learnt += 1;
        tally.add(chunk, judged);
        onRows(tally.rows());
      }
    }
    const found = tally.finish(learnt);
    assertHeldOut(spec, heldOut);
    return { ...sums, absent: [...absent], ...found, rows: tally.rows() };
  } catch (error) {
    const found = { ...sums, absent: [...absent], rows: tally.rows() };
    if (error instanceof TooManyRefused)
      return { ...found, ...error.sums, rows: tally.rows(), failure: error.message };
    const { refusedRows, refused } = tally.soFar();
    if (isOfKind(error, 'invalid'))
      return { ...found, refusedRows, refused, failure: error.message };
    throw error;
  }
}

/** What a job reads: the files that are asked for, and a dataset that is held out. */
async function objectsOfJob(
  store: ObjectStore,
  spec: Spec,
  asked: DatasetFiles,
): Promise<readonly PinnedObject[]> {
  const own = await dataOfDataset({ store }, asked.dataset, asked.files);
  if (heldOutDataset(spec) === undefined) return own;
  const pinned = await pinObjects(store, asked, spec);
  if (!pinned.ok) throw invalid(pinned.reason);
  return pinned.objects;
}
