import { keys } from '../bucket/keys.ts';
import type { ObjectStore } from '../bucket/object-store.ts';
import { decodeSafetensors, digestOf, encodeSafetensors } from '../bucket/safetensors.ts';
import { damagedCache } from '../errors.ts';
import type { Layout } from '../features/samples.ts';
import {
  concatSamples,
  type EncodedSamples,
  gatherSamples,
  rowsWithin,
} from '../features/samples.ts';
import {
  emptyStatistics,
  type FeatureStatistics,
  mergeStatistics,
  statisticsOf,
} from '../features/statistics.ts';
import { limits } from '../limits.ts';
import { samplesFrom, samplesTensors } from '../state/samples-file.ts';

/** Cuts the rows of a dataset into shards of `limits.shardRows`, and writes them. */
export type ShardWriter = {
  readonly add: (rows: EncodedSamples) => Promise<void>;
  /** Writes the last, shorter shard; rows and digest of each, and the statistics over all. */
  readonly finish: () => Promise<{
    readonly shardRows: readonly number[];
    readonly shardDigests: readonly string[];
    readonly statistics: FeatureStatistics;
  }>;
};

/** Where shards lie, and the digests that their bytes must have. */
export type ShardNames = {
  readonly hash: string;
  readonly shardDigests: readonly string[];
  readonly heldOutDigest: string;
};

/** A writer of the training rows below `prepared/<hash>/`. */
export function createShardWriter(store: ObjectStore, hash: string, layout: Layout): ShardWriter {
  const most = rowsWithin(limits.shardRows, layout);
  const shardRows: number[] = [];
  const shardDigests: string[] = [];
  let statistics = emptyStatistics(layout);
  let pending: EncodedSamples[] = [];
  let pendingRows = 0;

  const write = async (shard: EncodedSamples) => {
    const body = encodeShard(shard);
    await store.put(keys.prepared(hash, shardFile(shardRows.length)), body);
    shardDigests.push(digestOf(body));
    statistics = mergeStatistics(statistics, statisticsOf(shard, layout));
    shardRows.push(shard.count);
  };
  const writeFull = async () => {
    const joined = concatSamples(pending, layout);
    const part = (start: number, end: number) => gatherSamples(joined, range(start, end), layout);
    let start = 0;
    for (; joined.count - start >= most; start += most) {
      await write(part(start, start + most));
    }
    pending = [part(start, joined.count)];
    pendingRows = joined.count - start;
  };
  return {
    async add(rows) {
      pending.push(rows);
      pendingRows += rows.count;
      if (pendingRows >= most) await writeFull();
    },
    async finish() {
      if (pendingRows > 0) await write(concatSamples(pending, layout));
      return { shardRows, shardDigests, statistics };
    },
  };
}

/** Writes the held-out rows. @returns their digest */
export async function writeHeldOut(
  store: ObjectStore,
  hash: string,
  rows: EncodedSamples,
): Promise<string> {
  const body = encodeShard(rows);
  await store.put(keys.prepared(hash, heldOutFile), body);
  return digestOf(body);
}

/**
 * One shard of training rows, with raw numbers.
 *
 * @throws MillraceError with the code `damaged-cache` if it is missing or not what was prepared
 */
export function readShard(
  store: ObjectStore,
  { hash, shardDigests }: ShardNames,
  shard: number,
): Promise<EncodedSamples> {
  return readSamples(store, keys.prepared(hash, shardFile(shard)), shardDigests[shard] ?? '');
}

/** The held-out rows, with raw numbers. @throws as {@link readShard} */
export function readHeldOut(
  store: ObjectStore,
  { hash, heldOutDigest }: ShardNames,
): Promise<EncodedSamples> {
  return readSamples(store, keys.prepared(hash, heldOutFile), heldOutDigest);
}

const heldOutFile = 'held-out.safetensors';

function shardFile(shard: number): string {
  return `shard-${String(shard).padStart(5, '0')}.safetensors`;
}

async function readSamples(
  store: ObjectStore,
  key: string,
  digest: string,
): Promise<EncodedSamples> {
  const object = await store.get(key);
  if (object === undefined) throw damagedCache(`${key} is gone`);
  if (digestOf(object.body) !== digest) throw damagedCache(`${key} is damaged`);
  const samples = samplesFrom(decodeSafetensors(object.body).tensors);
  if (samples === undefined) throw damagedCache(`${key} is no shard`);
  return { ...samples, isDerived: true };
}

function encodeShard(rows: EncodedSamples): Uint8Array {
  return encodeSafetensors({ tensors: samplesTensors(rows), metadata: {} });
}

function range(start: number, end: number): Int32Array {
  return Int32Array.from({ length: end - start }, (_, i) => start + i);
}
