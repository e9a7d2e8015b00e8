import { isDeepStrictEqual } from 'node:util';
import type { ObjectStore } from '../bucket/object-store.ts';
import { invariant } from '../errors.ts';
import { withOwnWeights } from '../features/class-weights.ts';
import { assertPlaces } from '../features/classes.ts';
import { deriveInOrder } from '../features/derived.ts';
import type { Encoder } from '../features/encoder.ts';
import {
  concatSamples,
  type EncodedSamples,
  gatherSamples,
  type Layout,
  rowsWithin,
} from '../features/samples.ts';
import { limits } from '../limits.ts';
import type { Spec } from '../spec/spec.ts';
import { assertHeldOut, heldOutRule, isDrawn } from './held-out.ts';
import { createRowJudge, type JudgedChunk } from './judge-rows.ts';
import type { PreparedDataset, PreparedPart } from './manifest.ts';
import { createShardWriter, writeHeldOut } from './shards.ts';
import { createRowTally, rowNumbers, type SampleChunk } from './tally.ts';
import type { Unfinished } from './unfinished.ts';

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

/** Where rows are prepared, and which of them are held out. */
export type Preparation = {
  /** Below which name their full shards lie. */
  readonly base: string;
  /** How far somebody was before; nothing unless given. */
  readonly kept?: Unfinished | undefined;
  /** How many are held out at most; what a comparison can bear unless given. */
  readonly heldOutRows?: number;
  /** What rows of one number in different parts are told apart by. */
  readonly salt?: number;
};

/** The rows of a dataset as they are encoded, split and written below `prepared/<base>/`. */
export function createPreparation(
  store: ObjectStore,
  { spec, encoder }: Declared,
  { base, kept, heldOutRows = heldOutRowsOf(encoder.layout), salt }: Preparation,
) {
  const { layout } = encoder;
  const before = kept?.heldOut;
  const split = createSplit(spec, { most: heldOutRows, salt, before: before?.count ?? 0 });
  const shards = createShardWriter(store, base, layout, kept);
  let heldOut: EncodedSamples[] = before === undefined ? [] : [before];
  const judge = createRowJudge({ spec, encoder, seen: shards.seen });
  const tally = createRowTally(spec, kept?.tally);
  const derivation = deriveInOrder(layout, kept?.derived);
  let place = kept?.place;
  const joinHeldOut = () => {
    const joined = concatSamples(heldOut, layout);
    heldOut = [joined];
    return joined;
  };
  const addJudged = async ({ chunk, encoding }: JudgedChunk) => {
    const samples = withOwnWeights(encoding.samples);
    const own = split(chunk, encoding.accepted, rowNumbers(chunk, tally.rows()));
    // A held-out row sees what the rows before it said, as a training row does.
    const derived = derivation.add(samples, own.train);
    assertPlaces(layout, derivation.classes());
    heldOut.push(gatherSamples(derived, own.heldOut, layout));
    await shards.add(gatherSamples(derived, own.train, layout));
    tally.add(chunk, encoding);
    place = chunk.end ?? place;
  };
  const addRest = async () => {
    for (const judged of judge.rest()) await addJudged(judged);
  };
  return {
    rows: tally.rows,
    shards: shards.count,
    /** Whether it is behind the place where it began. */
    hasMoved: () => !isDeepStrictEqual(place, kept?.place),
    async add(chunk: SampleChunk) {
      for (const judged of judge.add(chunk)) await addJudged(judged);
    },
    soFar(): Unfinished {
      invariant(place !== undefined, 'a source has no place to read on from');
      const own = { tally: tally.soFar(), derived: derivation.known(), heldOut: joinHeldOut() };
      return { place, ...shards.soFar(), ...own };
    },
    async finish(hash: string): Promise<PreparedDataset> {
      await addRest();
      const full = shards.count();
      const { tally: _, ...written } = await this.finishPart(hash);
      const sums = tally.finish(written.shardRows.length);
      assertHeldOut(spec, written.heldOutRows);
      return {
        ...(base === hash ? {} : { base: { hash: base, shards: full } }),
        ...written,
        ...sums,
      };
    },
    /** What the rows came to, whatever that is. */
    async finishPart(hash: string): Promise<PreparedPart> {
      await addRest();
      const { statistics, ...written } = await shards.finish(hash);
      const held = joinHeldOut();
      return {
        hash,
        ...written,
        heldOutRows: held.count,
        heldOutDigest: await writeHeldOut(store, hash, held),
        statistics: { ...statistics, ...derivation.history() },
        tally: tally.soFar(),
      };
    },
  };
}

/** The rows of a dataset that may be held out. */
export function heldOutRowsOf(layout: Layout): number {
  return rowsWithin(limits.heldOutRows, layout);
}

/**
 * Divides the rows of each chunk into those for training and those that are held out, until enough
 * are held out. What more would be held out for what it says is neither: it is not to be learnt.
 */
function createSplit(
  spec: Spec,
  {
    most,
    salt,
    before,
  }: { readonly most: number; readonly salt?: number | undefined; readonly before: number },
) {
  const isOut = heldOutRule(spec, salt);
  const isByChance = isDrawn(spec.batch.validation);
  let heldOutRows = before;
  return (chunk: SampleChunk, accepted: Int32Array, numberOf: (index: number) => number) => {
    const train = new Int32Array(accepted.length);
    const heldOut = new Int32Array(accepted.length);
    let [trained, held] = [0, 0];
    // A loop without entries: this runs for each row.
    for (let position = 0; position < accepted.length; position++) {
      const index = accepted[position] ?? 0;
      const row = { row: numberOf(index), index };
      const isFull = heldOutRows >= most;
      if ((isFull && isByChance) || !isOut(chunk, row)) train[trained++] = position;
      else if (!isFull) {
        heldOutRows += 1;
        heldOut[held++] = position;
      }
    }
    return { train: train.subarray(0, trained), heldOut: heldOut.subarray(0, held) };
  };
}
