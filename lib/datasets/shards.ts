import { keys } from '../bucket/keys.ts';
import type { ObjectStore } from '../bucket/object-store.ts';
import { decodeSafetensors, encodeSafetensors } from '../bucket/safetensors.ts';
import { MillraceError } from '../errors.ts';
import type { Layout } from '../features/samples.ts';
import { concatSamples, type EncodedSamples, gatherSamples } from '../features/samples.ts';
import {
  emptyStatistics,
  type FeatureStatistics,
  mergeStatistics,
  statisticsOf,
} from '../features/statistics.ts';
import { limits } from '../limits.ts';

/** Cuts the rows of a dataset into shards of `limits.shardRows`, and writes them. */
export type ShardWriter = {
  readonly add: (rows: EncodedSamples) => Promise<void>;
  /** Writes the last, shorter shard; rows of each shard, and the statistics over all. */
  readonly finish: () => Promise<{
    readonly shardRows: readonly number[];
    readonly statistics: FeatureStatistics;
  }>;
};

/** A writer of the training rows below `prepared/<hash>/`. */
export function createShardWriter(store: ObjectStore, hash: string, layout: Layout): ShardWriter {
  const shardRows: number[] = [];
  let statistics = emptyStatistics(layout);
  let pending: EncodedSamples[] = [];
  let pendingRows = 0;

  const write = async (shard: EncodedSamples) => {
    await store.put(keys.prepared(hash, shardFile(shardRows.length)), encodeShard(shard));
    statistics = mergeStatistics(statistics, statisticsOf(shard, layout));
    shardRows.push(shard.count);
  };
  const writeFull = async () => {
    const joined = concatSamples(pending, layout);
    const part = (start: number, end: number) => gatherSamples(joined, range(start, end), layout);
    let start = 0;
    for (; joined.count - start >= limits.shardRows; start += limits.shardRows) {
      await write(part(start, start + limits.shardRows));
    }
    pending = [part(start, joined.count)];
    pendingRows = joined.count - start;
  };
  return {
    async add(rows) {
      pending.push(rows);
      pendingRows += rows.count;
      if (pendingRows >= limits.shardRows) await writeFull();
    },
    async finish() {
      if (pendingRows > 0) await write(concatSamples(pending, layout));
      return { shardRows, statistics };
    },
  };
}

/** Writes the held-out rows. */
export async function writeHeldOut(
  store: ObjectStore,
  hash: string,
  rows: EncodedSamples,
): Promise<void> {
  await store.put(keys.prepared(hash, heldOutFile), encodeShard(rows));
}

/** One shard of training rows, with raw numbers. */
export function readShard(
  store: ObjectStore,
  { hash }: { readonly hash: string },
  shard: number,
): Promise<EncodedSamples> {
  return readSamples(store, keys.prepared(hash, shardFile(shard)));
}

/** The held-out rows, with raw numbers. */
export function readHeldOut(
  store: ObjectStore,
  { hash }: { readonly hash: string },
): Promise<EncodedSamples> {
  return readSamples(store, keys.prepared(hash, heldOutFile));
}

const heldOutFile = 'held-out.safetensors';

function shardFile(shard: number): string {
  return `shard-${String(shard).padStart(5, '0')}.safetensors`;
}

async function readSamples(store: ObjectStore, key: string): Promise<EncodedSamples> {
  const object = await store.get(key);
  if (object === undefined)
    throw new MillraceError('unavailable', `${key} was deleted while a job needs it`);
  const { numbers, categories, labels, weights } = decodeSafetensors(object.body).tensors;
  if (
    numbers?.data instanceof Float32Array &&
    categories?.data instanceof Int32Array &&
    labels?.data instanceof Float32Array &&
    weights?.data instanceof Float32Array
  ) {
    const count = labels.data.length;
    return {
      count,
      numbers: numbers.data,
      categories: categories.data,
      labels: labels.data,
      weights: weights.data,
    };
  }
  throw new MillraceError(
    'corrupt',
    `${key} is no shard; delete all below prepared/ and run the job again`,
  );
}

function encodeShard({ count, numbers, categories, labels, weights }: EncodedSamples): Uint8Array {
  const matrix = <Data extends Float32Array | Int32Array>(data: Data) => ({
    shape: [count, count === 0 ? 0 : data.length / count],
    data,
  });
  return encodeSafetensors({
    tensors: {
      numbers: matrix(numbers),
      categories: matrix(categories),
      labels: { shape: [count], data: labels },
      weights: { shape: [count], data: weights },
    },
    metadata: {},
  });
}

function range(start: number, end: number): Int32Array {
  return Int32Array.from({ length: end - start }, (_, i) => start + i);
}
