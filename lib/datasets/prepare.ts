import { z } from 'zod';
import { storedJson } from '../bucket/json-objects.ts';
import { keys } from '../bucket/keys.ts';
import { decodeDigested, encodeDigested } from '../bucket/safetensors.ts';
import { invalid, isOfKind } from '../errors.ts';
import { deriveInOrder } from '../features/derived.ts';
import type { Encoder } from '../features/encoder.ts';
import { withoutOutliers } from '../features/outliers.ts';
import {
  concatSamples,
  type EncodedSamples,
  gatherSamples,
  type Layout,
  rowsWithin,
} from '../features/samples.ts';
import type { FeatureStatistics } from '../features/statistics.ts';
import { limits } from '../limits.ts';
import type { Ports } from '../ports/ports.ts';
import { storedRefusal } from '../refusal.ts';
import { hashOfDerived } from '../spec/identity.ts';
import type { Spec } from '../spec/spec.ts';
import { statisticsFrom, statisticsMetadata, statisticsTensors } from '../state/statistics-file.ts';
import { isHeldOut } from './order.ts';
import { createShardWriter, type ShardNames, writeHeldOut } from './shards.ts';
import { createRowTally, type RowSums, type SampleChunk } from './tally.ts';

/** A dataset, encoded and split once, in shards of `prepared/<hash>/`: derived, safe to delete. */
export type PreparedDataset = ShardNames &
  RowSums & {
    /** Rows of each training shard. */
    readonly shardRows: readonly number[];
    readonly heldOutRows: number;
    /** Statistics of the number features over the training rows. */
    readonly statistics: FeatureStatistics;
  };

/** Where the rows of a dataset come from. */
export type SampleSource = {
  /** What the rows depend on: object keys and ETags, or a journal's range. */
  readonly identity: unknown;
  /** Raw samples, in order, in chunks. */
  readonly samples: () => AsyncIterable<SampleChunk>;
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

/** The parts of a stored spec that decide how rows are encoded and split. */
const storedSchema = z.looseObject({
  features: z.looseObject({}).optional(),
  cells: z.unknown().optional(),
  revision: z.unknown().optional(),
  label: z.unknown().optional(),
  task: z.unknown().optional(),
  seed: z.unknown().optional(),
  batch: z.looseObject({ validation: z.unknown().optional() }).optional(),
});

const manifestSchema = z.object({
  shardRows: z.array(z.int().positive()),
  shardDigests: z.array(z.string()),
  heldOutRows: z.int().nonnegative(),
  heldOutDigest: z.string(),
  refusedRows: z.int().nonnegative(),
  refused: z.array(storedRefusal),
  // Absent in what releases before 0.3 prepared.
  unknown: z.record(z.string(), z.int()).default({}),
  refusedClasses: z.array(z.string()).default([]),
});

/**
 * Encodes a dataset, or finds it already encoded. Every run over the same objects with the same
 * spec writes the same bytes, and the manifest last. So a slice that dies in between is simply run
 * again.
 *
 * @throws MillraceError kind `invalid` if no row can be learnt, more are refused than the spec
 *   allows, or there is no time for all of them
 */
export async function prepareDataset(
  { store, log }: Pick<Ports, 'store' | 'log'>,
  { spec, stored, encoder }: Declared,
  { identity, samples: source }: SampleSource,
  { isAgain = false, isTimeUp = () => false }: PrepareOptions = {},
): Promise<PreparedDataset> {
  const hash = preparedName(stored, identity, encoder.layout);
  const existing = isAgain ? undefined : await store.get(keys.prepared(hash, manifestFile));
  const found = existing && readManifest(hash, existing.body);
  if (found !== undefined) return found;
  if (existing !== undefined)
    log.warn('a prepared dataset is damaged, and prepared again', { hash });

  const split = createSplit(spec, rowsWithin(limits.heldOutRows, encoder.layout));
  const shards = createShardWriter(store, hash, encoder.layout);
  const heldOut: EncodedSamples[] = [];
  const tally = createRowTally(spec);
  const derivation = deriveInOrder(encoder.layout);
  for await (const chunk of source()) {
    const encoded = encoder.encode(chunk.samples);
    // What the journal holds was judged when it was learnt.
    const isJudged = chunk.placeOf === undefined || !encoder.layout.standardizesLabel;
    const encoding = isJudged ? encoded : withoutOutliers(encoder, encoded);
    const { samples, accepted } = encoding;
    const row = tally.rows();
    const kept = split(Array.from(accepted, (index) => row + index));
    // A held-out row sees what the rows before it said, as a training row does.
    const derived = derivation.add(samples, kept.train);
    heldOut.push(gatherSamples(derived, kept.heldOut, encoder.layout));
    await shards.add(gatherSamples(derived, kept.train, encoder.layout));
    tally.add(chunk, encoding);
    if (isTimeUp()) throw tooLong(tally.rows());
  }
  const { shardRows, shardDigests, statistics } = await shards.finish();
  const targets = derivation.targets();
  const sums = tally.finish(shardRows.length);
  const held = concatSamples(heldOut, encoder.layout);
  const prepared = {
    hash,
    shardRows,
    shardDigests,
    heldOutRows: held.count,
    heldOutDigest: await writeHeldOut(store, hash, held),
    statistics: { ...statistics, ...(targets && { targets }) },
    ...sums,
  };
  await store.put(keys.prepared(hash, manifestFile), encodeManifest(prepared));
  return prepared;
}

/** How a dataset is prepared. */
export type PrepareOptions = {
  /** Whether what is prepared already was found to be damaged. */
  readonly isAgain?: boolean;
  /** Whether the invocation ends soon. */
  readonly isTimeUp?: () => boolean;
};

function tooLong(rows: number) {
  return invalid(
    `the dataset is too large: one invocation prepares it, and had time for ${rows} rows of it; ` +
      'train on parts of it, one after another (start: champion)',
  );
}

/** The name of the prepared rows: a hash of all that they depend on. */
export function preparedName(stored: unknown, identity: unknown, { halfLives }: Layout): string {
  const { features, cells, revision, label, task, seed, batch } = storedSchema.parse(stored);
  const { validation } = batch ?? {};
  const bounds = [limits.shardRows, limits.heldOutRows];
  const all = {
    ...(halfLives && { halfLives }),
    features,
    cells,
    revision,
    label,
    task,
    seed,
    validation,
    identity,
    limits: bounds,
  };
  return hashOfDerived(features, all).slice(0, 40);
}

/**
 * Divides the rows of each chunk into those for training and those that are held out, until enough
 * are held out.
 */
function createSplit({ seed, batch }: Spec, most: number) {
  let heldOutRows = 0;
  return (rows: readonly number[]) => {
    const train: number[] = [];
    const heldOut: number[] = [];
    rows.forEach((row, position) => {
      const isOut = heldOutRows < most && isHeldOut(seed, row, batch.validation);
      if (isOut) heldOutRows += 1;
      (isOut ? heldOut : train).push(position);
    });
    return { train, heldOut };
  };
}

const manifestFile = 'manifest.safetensors';

function encodeManifest({ statistics, hash: _, ...manifest }: PreparedDataset): Uint8Array {
  const all = { ...manifest, ...statisticsMetadata(statistics) };
  return encodeDigested({
    tensors: statisticsTensors(statistics, ''),
    metadata: { manifest: storedJson(all, 'the manifest') },
  });
}

/** A stored manifest; undefined if it is damaged. */
function readManifest(hash: string, body: Uint8Array): PreparedDataset | undefined {
  try {
    const { tensors, metadata } = decodeDigested(body);
    const stored: unknown = JSON.parse(metadata.manifest ?? 'null');
    const manifest = manifestSchema.parse(stored);
    const statistics = statisticsFrom(tensors, z.looseObject({}).parse(stored), '');
    return statistics && { hash, ...manifest, statistics };
  } catch (error) {
    if (isOfKind(error, 'corrupt') || error instanceof z.ZodError) return undefined;
    throw error;
  }
}
