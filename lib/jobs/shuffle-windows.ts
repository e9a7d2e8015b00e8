import type { ObjectStore } from '../bucket/object-store.ts';
import type { PreparedDataset } from '../datasets/manifest.ts';
import { shuffledOrder } from '../datasets/order.ts';
import { joinRows, type StoredRows } from '../datasets/shard-file.ts';
import { readShard } from '../datasets/shards.ts';
import { type Layout, rowsWithin } from '../features/samples.ts';
import { limits } from '../limits.ts';
import type { Spec } from '../spec/spec.ts';

/** The bytes of rows that are shuffled together, at most: a function holds some more of them. */
const windowBytes = 4 * limits.shardBytes;

/**
 * The shards of an epoch in its order, in windows of which the rows are shuffled together. They
 * follow from the seed and the dataset alone.
 */
export function shuffleWindows(
  { shardRows }: Pick<PreparedDataset, 'shardRows'>,
  layout: Layout,
  { seed, batch: { shuffleShards = 1 } }: Pick<Spec, 'seed' | 'batch'>,
  epoch: number,
): readonly (readonly number[])[] {
  const windows: number[][] = [];
  const most = rowsWithin(Number.MAX_SAFE_INTEGER, layout, windowBytes);
  let rows = 0;
  for (const shard of shuffledOrder(shardRows.length, seed, epoch)) {
    const own = shardRows[shard] ?? 0;
    const last = windows.at(-1);
    if (last !== undefined && last.length < shuffleShards && rows + own <= most) {
      last.push(shard);
      rows += own;
      continue;
    }
    windows.push([shard]);
    rows = own;
  }
  return windows;
}

/** The rows of a window, one shard behind the other. @throws as `readShard` */
export async function readWindow(
  store: ObjectStore,
  prepared: PreparedDataset,
  window: readonly number[],
  layout: Layout,
): Promise<StoredRows> {
  const parts = await Promise.all(window.map((shard) => readShard(store, prepared, shard)));
  return joinRows(parts, layout);
}
