import { createHash } from 'node:crypto';
import { z } from 'zod';
import { invalid, MillraceError } from '../errors.ts';
import type { Encoder, Refusal } from '../features/encoder.ts';
import { concatSamples, type EncodedSamples, gatherSamples } from '../features/samples.ts';
import {
  emptyStatistics,
  type FeatureStatistics,
  mergeStatistics,
  statisticsOf,
} from '../features/statistics.ts';
import { keys } from '../journal/keys.ts';
import { decodeSafetensors, encodeSafetensors } from '../journal/safetensors.ts';
import { limits } from '../limits.ts';
import type { ObjectStore } from '../ports/ports.ts';
import { canonicalJson, type Spec } from '../spec/spec.ts';
import { isHeldOut } from './order.ts';

/** A dataset, encoded and split once, in shards of `prepared/<hash>/`: derived, safe to delete. */
export type PreparedDataset = {
  readonly hash: string;
  /** Rows of each training shard. */
  readonly shardRows: readonly number[];
  readonly heldOutRows: number;
  /** Statistics of the number features over the training rows. */
  readonly statistics: FeatureStatistics;
  readonly refusedRows: number;
  /** The first refused rows, as examples. */
  readonly refused: readonly Refusal[];
};

/** Raw samples of a dataset, in order, in chunks. */
export type SampleSource = () => AsyncIterable<readonly unknown[]>;

const manifestSchema = z.object({
  shardRows: z.array(z.int().positive()),
  heldOutRows: z.int().nonnegative(),
  statisticsCount: z.int().nonnegative(),
  refusedRows: z.int().nonnegative(),
  refused: z.array(z.object({ index: z.int(), field: z.string(), reason: z.string() })),
});

/**
 * Encodes a dataset, or finds it encoded already. Every run over the same objects with the same spec writes the
 * same bytes, and the manifest last, so a slice that dies here is simply run again.
 *
 * @param identity what the rows depend on: object keys and ETags, or a journal's range
 * @throws MillraceError kind `invalid` if no row can be learnt
 */
export async function prepareDataset(
  store: ObjectStore,
  spec: Spec,
  encoder: Encoder,
  identity: unknown,
  source: SampleSource,
): Promise<PreparedDataset> {
  const { features, label, task, seed, batch } = spec;
  const hash = createHash('sha256')
    .update(
      canonicalJson({
        features,
        label,
        task,
        seed,
        validation: batch.validation,
        identity,
        limits: [limits.shardRows, limits.heldOutRows],
      }),
    )
    .digest('hex')
    .slice(0, 40);
  const existing = await store.get(keys.prepared(hash, 'manifest.safetensors'));
  if (existing !== undefined) return readManifest(hash, existing.body);

  const shardRows: number[] = [];
  const refused: Refusal[] = [];
  let statistics = emptyStatistics(encoder.layout);
  let refusedRows = 0;
  let pending: EncodedSamples[] = [];
  let heldOut: EncodedSamples[] = [];
  let heldOutRows = 0;
  let row = 0;

  const writeShards = async (isLast: boolean) => {
    const joined = concatSamples(pending, encoder.layout);
    let start = 0;
    while (joined.count - start >= limits.shardRows || (isLast && start < joined.count)) {
      const rows = Math.min(limits.shardRows, joined.count - start);
      const shard = gatherSamples(joined, range(start, start + rows), encoder.layout);
      await store.put(keys.prepared(hash, shardFile(shardRows.length)), encodeShard(shard));
      statistics = mergeStatistics(statistics, statisticsOf(shard, encoder.layout));
      shardRows.push(rows);
      start += rows;
    }
    pending = [gatherSamples(joined, range(start, joined.count), encoder.layout)];
  };

  for await (const chunk of source()) {
    const encoding = encoder.encode(chunk);
    refusedRows += encoding.refused.length;
    for (const refusal of encoding.refused.slice(0, limits.refusedExamples - refused.length)) {
      refused.push({ ...refusal, index: row + refusal.index });
    }
    const split = { train: [] as number[], heldOut: [] as number[] };
    encoding.accepted.forEach((index, position) => {
      const isOut =
        heldOutRows + split.heldOut.length < limits.heldOutRows &&
        isHeldOut(seed, row + index, batch.validation);
      split[isOut ? 'heldOut' : 'train'].push(position);
    });
    pending.push(gatherSamples(encoding.samples, split.train, encoder.layout));
    heldOut.push(gatherSamples(encoding.samples, split.heldOut, encoder.layout));
    heldOutRows += split.heldOut.length;
    row += chunk.length;
    if (pending.reduce((sum, part) => sum + part.count, 0) >= limits.shardRows) await writeShards(false);
  }
  await writeShards(true);
  if (shardRows.length === 0) {
    const why =
      refused[0] === undefined
        ? 'it has no rows'
        : `row ${refused[0].index}, ${refused[0].field}: ${refused[0].reason}`;
    throw invalid(`the dataset has no row that can be learnt (${row} rows; ${why})`);
  }
  await store.put(keys.prepared(hash, heldOutFile), encodeShard(concatSamples(heldOut, encoder.layout)));
  heldOut = [];
  const prepared = { hash, shardRows, heldOutRows, statistics, refusedRows, refused };
  await store.put(keys.prepared(hash, 'manifest.safetensors'), encodeManifest(prepared));
  return prepared;
}

/** One shard of training rows, with raw numbers. */
export function readShard(
  store: ObjectStore,
  { hash }: PreparedDataset,
  shard: number,
): Promise<EncodedSamples> {
  return readSamples(store, keys.prepared(hash, shardFile(shard)));
}

/** The held-out rows, with raw numbers. */
export function readHeldOut(store: ObjectStore, { hash }: PreparedDataset): Promise<EncodedSamples> {
  return readSamples(store, keys.prepared(hash, heldOutFile));
}

const heldOutFile = 'held-out.safetensors';

function shardFile(shard: number): string {
  return `shard-${String(shard).padStart(5, '0')}.safetensors`;
}

async function readSamples(store: ObjectStore, key: string): Promise<EncodedSamples> {
  const object = await store.get(key);
  if (object === undefined) throw new MillraceError('unavailable', `${key} was deleted while a job needs it`);
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
  throw new MillraceError('corrupt', `${key} is no shard; delete all below prepared/ and run the job again`);
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

function encodeManifest({
  shardRows,
  heldOutRows,
  statistics,
  refusedRows,
  refused,
}: PreparedDataset): Uint8Array {
  return encodeSafetensors({
    tensors: {
      mean: { shape: [statistics.mean.length], data: statistics.mean },
      squares: { shape: [statistics.squares.length], data: statistics.squares },
    },
    metadata: {
      manifest: JSON.stringify({
        shardRows,
        heldOutRows,
        statisticsCount: statistics.count,
        refusedRows,
        refused,
      }),
    },
  });
}

function readManifest(hash: string, body: Uint8Array): PreparedDataset {
  const { tensors, metadata } = decodeSafetensors(body);
  const { statisticsCount, ...manifest } = manifestSchema.parse(JSON.parse(metadata.manifest ?? 'null'));
  const [mean, squares] = [tensors.mean?.data, tensors.squares?.data];
  if (!(mean instanceof Float64Array) || !(squares instanceof Float64Array)) {
    throw new MillraceError('corrupt', `prepared/${hash} has no statistics; delete it and run the job again`);
  }
  return { hash, ...manifest, statistics: { count: statisticsCount, mean, squares } };
}

function range(start: number, end: number): Int32Array {
  return Int32Array.from({ length: end - start }, (_, i) => start + i);
}
