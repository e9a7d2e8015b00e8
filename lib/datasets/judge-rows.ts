import type { Encoder, Encoding } from '../features/encoder.ts';
import { withoutOutliers } from '../features/outliers.ts';
import type { FeatureStatistics } from '../features/statistics.ts';
import type { Spec } from '../spec/spec.ts';
import { refusingUnread } from './held-out.ts';
import type { SampleChunk } from './tally.ts';

/** A chunk of rows, and what of them is accepted. */
export type JudgedChunk = { readonly chunk: SampleChunk; readonly encoding: Encoding };

/** By what rows are judged. */
export type RowJudging = {
  readonly spec: Spec;
  readonly encoder: Encoder;
  /** Statistics of the rows before. */
  readonly seen: () => FeatureStatistics;
};

/** So many rows of a chunk say by themselves what is out of all proportion. */
const manyRows = 1_024;
/** So many of the first ones are judged together. */
const firstRows = 32;

/**
 * Encodes the rows of a dataset, and refuses those that are out of all proportion to the others
 * around them and before them: however small the files, row groups and chunks are in which they
 * come.
 */
export function createRowJudge({ spec, encoder, seen }: RowJudging) {
  const withoutUnread = refusingUnread(spec, encoder.layout);
  let waiting: JudgedChunk[] = [];
  const rest = (before?: FeatureStatistics): readonly JudgedChunk[] => {
    const ready = waiting;
    waiting = [];
    const encodings = ready.map(({ encoding }) => encoding);
    const judged = withoutOutliers(encoder, encodings, before);
    return ready.map(({ chunk, encoding }, i) => ({ chunk, encoding: judged[i] ?? encoding }));
  };
  return {
    /** The chunks that can be judged now, in order; the first few rows wait for others. */
    add(chunk: SampleChunk): readonly JudgedChunk[] {
      const own = { chunk, encoding: withoutUnread(chunk, encoder.encode(chunk.samples)) };
      // What the journal holds was judged when it was learnt.
      if (chunk.placeOf === undefined) return [...rest(), own];
      waiting.push(own);
      const count = (of: (each: JudgedChunk) => number) =>
        waiting.reduce((sum, each) => sum + of(each), 0);
      if (count(({ encoding }) => encoding.samples.count) >= manyRows) return rest();
      const before = seen();
      const areFew =
        before.count < firstRows && count((each) => each.chunk.samples.length) < firstRows;
      return areFew ? [] : rest(before);
    },
    /** Those that still wait, once there are no others. */
    rest: () => (waiting.length === 0 ? [] : rest(seen())),
  };
}
