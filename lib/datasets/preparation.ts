import { isDeepStrictEqual } from 'node:util';
import type { ObjectStore } from '../bucket/object-store.ts';
import { invariant } from '../errors.ts';
import { deriveInOrder } from '../features/derived.ts';
import type { Encoder } from '../features/encoder.ts';
import { withoutOutliers } from '../features/outliers.ts';
import {
  concatSamples,
  type EncodedSamples,
  gatherSamples,
  rowsWithin,
} from '../features/samples.ts';
import type { FeatureStatistics } from '../features/statistics.ts';
import { limits } from '../limits.ts';
import type { Spec } from '../spec/spec.ts';
import { assertHeldOut, heldOutRule, type SplitRow } from './held-out.ts';
import { createShardWriter, type ShardNames, writeHeldOut } from './shards.ts';
import { createRowTally, type RowSums, type SampleChunk } from './tally.ts';
import type { Unfinished } from './unfinished.ts';

/** A dataset, encoded and split once, in shards of `prepared/<hash>/`: derived, safe to delete. */
export type PreparedDataset = ShardNames &
  RowSums & {
    /** Rows of each training shard. */
    readonly shardRows: readonly number[];
    readonly heldOutRows: number;
    /** Statistics of the number features over the training rows. */
    readonly statistics: FeatureStatistics;
  };

/** What a model declares of its samples. */
export type Declared = {
  readonly spec: Spec;
  /**
   * The spec as it was created. The prepared dataset is named after it, so that later defaults do
   * not change the name.
   */
  readonly stored: unknown;
  readonly encoder: Encoder;
};

/**
 * The rows of a dataset as they are encoded, split and written below `prepared/<base>/`.
 *
 * @param kept how far somebody was before; nothing unless given
 */
export function createPreparation(
  store: ObjectStore,
  base: string,
  { spec, encoder }: Declared,
  kept: Unfinished | undefined,
) {
  const { layout } = encoder;
  const before = kept?.heldOut;
  const most = rowsWithin(limits.heldOutRows, layout);
  const split = createSplit(spec, most, before?.count ?? 0);
  const shards = createShardWriter(store, base, layout, kept);
  let heldOut: EncodedSamples[] = before === undefined ? [] : [before];
  const tally = createRowTally(spec, kept?.tally);
  const derivation = deriveInOrder(layout, kept?.derived);
  let place = kept?.place;
  const joinHeldOut = () => {
    const joined = concatSamples(heldOut, layout);
    heldOut = [joined];
    return joined;
  };
  return {
    rows: tally.rows,
    shards: shards.count,
    /** Whether it is behind the place where it began. */
    hasMoved: () => !isDeepStrictEqual(place, kept?.place),
    async add(chunk: SampleChunk) {
      const encoded = encoder.encode(chunk.samples);
      // What the journal holds was judged when it was learnt.
      const isJudged = chunk.placeOf === undefined || !layout.standardizesLabel;
      const encoding = isJudged ? encoded : withoutOutliers(encoder, encoded);
      const { samples, accepted } = encoding;
      const row = tally.rows();
      const own = split(
        chunk,
        Array.from(accepted, (index) => ({ row: row + index, index })),
      );
      // A held-out row sees what the rows before it said, as a training row does.
      const derived = derivation.add(samples, own.train);
      heldOut.push(gatherSamples(derived, own.heldOut, layout));
      await shards.add(gatherSamples(derived, own.train, layout));
      tally.add(chunk, encoding);
      place = chunk.end ?? place;
    },
    soFar(): Unfinished {
      invariant(place !== undefined, 'a source has no place to read on from');
      const own = { tally: tally.soFar(), derived: derivation.known(), heldOut: joinHeldOut() };
      return { place, ...shards.soFar(), ...own };
    },
    async finish(hash: string): Promise<PreparedDataset> {
      const full = shards.count();
      const { statistics, ...written } = await shards.finish(hash);
      const held = joinHeldOut();
      const sums = tally.finish(written.shardRows.length);
      assertHeldOut(spec, held.count);
      return {
        hash,
        ...(base === hash ? {} : { base: { hash: base, shards: full } }),
        ...written,
        heldOutRows: held.count,
        heldOutDigest: await writeHeldOut(store, hash, held),
        statistics: { ...statistics, ...derivation.history() },
        ...sums,
      };
    },
  };
}

/**
 * Divides the rows of each chunk into those for training and those that are held out, until enough
 * are held out. What more would be held out for what it says is neither: it is not to be learnt.
 */
function createSplit(spec: Spec, most: number, before: number) {
  const isOut = heldOutRule(spec);
  const isDrawn = typeof spec.batch.validation === 'number';
  let heldOutRows = before;
  return (chunk: SampleChunk, rows: readonly SplitRow[]) => {
    const train: number[] = [];
    const heldOut: number[] = [];
    rows.forEach((row, position) => {
      const isFull = heldOutRows >= most;
      if ((isFull && isDrawn) || !isOut(chunk, row)) train.push(position);
      else if (!isFull) {
        heldOutRows += 1;
        heldOut.push(position);
      }
    });
    return { train, heldOut };
  };
}
