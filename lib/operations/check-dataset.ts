import type { ObjectStore } from '../bucket/object-store.ts';
import { bytesOfObject, type PinnedObject } from '../datasets/byte-source.ts';
import { assertHeldOut, columnsToRead, heldOutRule } from '../datasets/held-out.ts';
import { createRowJudge, type JudgedChunk } from '../datasets/judge-rows.ts';
import { type DatasetFiles, heldOutDataset, pinObjects } from '../datasets/pin-objects.ts';
import { readSamples } from '../datasets/read-samples.ts';
import { createRowTally, type RowSums, rowNumbers, TooManyRefused } from '../datasets/tally.ts';
import { invalid, isOfKind } from '../errors.ts';
import { assertPlaces, type NamedClasses, withClassesOf } from '../features/classes.ts';
import { createEncoder } from '../features/encoder.ts';
import { gatherSamples } from '../features/samples.ts';
import { emptyStatistics, mergeStatistics, statisticsOf } from '../features/statistics.ts';
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
  const columns = columnsToRead(spec);
  let seen = emptyStatistics(layout);
  const judge = createRowJudge({ spec, encoder, seen: () => seen });
  let [learnt, heldOut] = [0, 0];
  const add = ({ chunk, encoding }: JudgedChunk) => {
    const { accepted, samples } = encoding;
    const numberOf = rowNumbers(chunk, tally.rows());
    const isLearnt = (index: number) => !isOut(chunk, { row: numberOf(index), index });
    const own = [...accepted.keys()].filter((row) => isLearnt(accepted[row] ?? -1));
    learnt += own.length;
    heldOut += accepted.length - own.length;
    known = withClassesOf(known, samples, layout, own);
    assertPlaces(layout, known);
    const learning = gatherSamples(samples, own, layout);
    seen = mergeStatistics(seen, statisticsOf(learning, layout), layout);
    tally.add(chunk, encoding);
  };
  const sums = { files: objects.length, refusedRows: 0, refused: [], unknown: {} };
  try {
    for (const object of objects) {
      const file = { name: object.key, bytes: bytesOfObject(store, object), columns };
      for await (const chunk of readSamples(spec, file)) {
        for (const column of chunk.absent()) absent.add(column);
        judge.add(chunk).forEach(add);
        onRows(tally.rows());
      }
    }
    judge.rest().forEach(add);
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
