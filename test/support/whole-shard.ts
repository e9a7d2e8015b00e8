import type { ObjectStore } from '../../lib/bucket/object-store.ts';
import { allRows } from '../../lib/datasets/shard-file.ts';
import { readShard, type ShardNames } from '../../lib/datasets/shards.ts';
import type { EncodedSamples } from '../../lib/features/samples.ts';

/** All rows of a shard, in order. @throws as {@link readShard} */
export async function readWholeShard(
  store: ObjectStore,
  names: ShardNames,
  shard: number,
): Promise<EncodedSamples> {
  return allRows(await readShard(store, names, shard));
}
