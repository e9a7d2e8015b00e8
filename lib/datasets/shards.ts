import { keys } from '../bucket/keys.ts';
import type { ObjectStore } from '../bucket/object-store.ts';
import { digestOf } from '../bucket/safetensors.ts';
import { damagedCache } from '../errors.ts';
import type { Layout } from '../features/samples.ts';
import {
  concatSamples,
  type EncodedSamples,
  rowsWithin,
  sliceSamples,
} from '../features/samples.ts';
import {
  emptyStatistics,
  type FeatureStatistics,
  mergeStatistics,
  statisticsOf,
} from '../features/statistics.ts';
import { limits } from '../limits.ts';
import { allRows, encodeShard, openShard, type StoredRows } from './shard-file.ts';

/** Shards that were written, and the statistics of their rows. */
export type Shards = {
  readonly shardRows: readonly number[];
  readonly shardDigests: readonly string[];
  readonly statistics: FeatureStatistics;
};

/** Cuts the rows of a dataset into shards of `limits.shardRows`, and writes them. */
export type ShardWriter = {
  readonly add: (rows: EncodedSamples) => Promise<void>;
  /** Statistics of all rows so far. */
  readonly seen: () => FeatureStatistics;
  /** Shards that were written. */
  readonly count: () => number;
  /** What was written, and the rows that fill no shard yet. */
  readonly soFar: () => Shards & { readonly pending: EncodedSamples };
  /** Writes the last, shorter shard below a prepared dataset of its own. */
  readonly finish: (hash: string) => Promise<Shards>;
};

/** Shards that lie below the name of another prepared dataset, and how many. */
type Folder = { readonly hash: string; readonly shards: number };

/** Where shards lie, and the digests that their bytes must have. */
export type ShardNames = {
  readonly hash: string;
  /** The dataset that grows, below which the full shards lie; its own unless given. */
  readonly base?: Folder | undefined;
  /** The parts, below which all shards lie, in order. */
  readonly parts?: readonly Folder[] | undefined;
  readonly shardDigests: readonly string[];
  readonly heldOutDigest: string;
};

/**
 * A writer of the training rows below `prepared/<hash>/`.
 *
 * @param before what a writer before this one had reached; nothing unless given
 */
export function createShardWriter(
  store: ObjectStore,
  hash: string,
  layout: Layout,
  before?: Shards & { readonly pending: EncodedSamples },
): ShardWriter {
  const most = rowsWithin(limits.shardRows, layout);
  const shardRows: number[] = [...(before?.shardRows ?? [])];
  const shardDigests: string[] = [...(before?.shardDigests ?? [])];
  let statistics = before?.statistics ?? emptyStatistics(layout);
  let pending: EncodedSamples[] = before === undefined ? [] : [before.pending];
  let pendingRows = before?.pending.count ?? 0;
  // Of what fills no shard yet: what of it is added up, and the rest. Few ask.
  let added = emptyStatistics(layout);
  let unadded = [...pending];

  const write = async (shard: EncodedSamples, folder = hash) => {
    const body = encodeShard(shard);
    await store.put(keys.prepared(folder, shardFile(shardRows.length)), body);
    shardDigests.push(digestOf(body));
    statistics = mergeStatistics(statistics, statisticsOf(shard, layout), layout);
    shardRows.push(shard.count);
  };
  const writeFull = async () => {
    const joined = concatSamples(pending, layout);
    const part = (start: number, end: number) => sliceSamples(joined, start, end, layout);
    let start = 0;
    for (; joined.count - start >= most; start += most) {
      await write(part(start, start + most));
    }
    // Copied: what is left keeps nothing else in memory.
    pending = [concatSamples([part(start, joined.count)], layout)];
    pendingRows = joined.count - start;
    added = emptyStatistics(layout);
    unadded = [...pending];
  };
  return {
    async add(rows) {
      pending.push(rows);
      unadded.push(rows);
      pendingRows += rows.count;
      if (pendingRows >= most) await writeFull();
    },
    seen() {
      const own = statisticsOf(concatSamples(unadded, layout), layout);
      added = mergeStatistics(added, own, layout);
      unadded = [];
      return mergeStatistics(statistics, added, layout);
    },
    count: () => shardRows.length,
    soFar() {
      const joined = concatSamples(pending, layout);
      pending = [joined];
      return { shardRows, shardDigests, statistics, pending: joined };
    },
    async finish(own) {
      if (pendingRows > 0) await write(concatSamples(pending, layout), own);
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
  names: ShardNames,
  shard: number,
): Promise<StoredRows> {
  return readRows(store, keyOf(names, shard), names.shardDigests[shard] ?? '');
}

/** Parts count their own shards; a dataset that grows goes on counting. */
function keyOf({ hash, base, parts = [] }: ShardNames, shard: number): string {
  if (base !== undefined && shard < base.shards) return keys.prepared(base.hash, shardFile(shard));
  let own = shard;
  for (const part of parts) {
    if (own < part.shards) return keys.prepared(part.hash, shardFile(own));
    own -= part.shards;
  }
  return keys.prepared(hash, shardFile(shard));
}

/** The held-out rows, with raw numbers. @throws as {@link readShard} */
export async function readHeldOut(
  store: ObjectStore,
  { hash, heldOutDigest }: ShardNames,
): Promise<EncodedSamples> {
  return allRows(await readRows(store, keys.prepared(hash, heldOutFile), heldOutDigest));
}

/** The file of a prepared dataset that has the held-out rows. */
export const heldOutFile = 'held-out.safetensors';

function shardFile(shard: number): string {
  return `shard-${String(shard).padStart(5, '0')}.safetensors`;
}

async function readRows(store: ObjectStore, key: string, digest: string): Promise<StoredRows> {
  const object = await store.get(key);
  if (object === undefined) throw damagedCache(`${key} is gone`);
  if (digestOf(object.body) !== digest) throw damagedCache(`${key} is damaged`);
  const rows = openShard(object.body);
  if (rows === undefined) throw damagedCache(`${key} is no shard`);
  return rows;
}
