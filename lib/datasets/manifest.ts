import * as z from 'zod';
import { storedJson } from '../bucket/json-objects.ts';
import { keys } from '../bucket/keys.ts';
import type { ObjectStore } from '../bucket/object-store.ts';
import { decodeDigested, encodeDigested } from '../bucket/safetensors.ts';
import { isOfKind } from '../errors.ts';
import type { Layout } from '../features/samples.ts';
import type { FeatureStatistics } from '../features/statistics.ts';
import { limits } from '../limits.ts';
import { isRecord } from '../parse.ts';
import { storedRefusal } from '../refusal.ts';
import { hashOfDerived } from '../spec/identity.ts';
import { statisticsFrom, statisticsMetadata, statisticsTensors } from '../state/statistics-file.ts';
import { filePlace } from './formats/format.ts';
import { rowSums } from './unfinished.ts';

/** Shards that lie below the name of another prepared dataset, and how many. */
const folder = z.strictObject({ hash: z.string(), shards: z.int() });

const manifestSchema = z.object({
  base: folder.optional(),
  parts: z.array(folder).readonly().optional(),
  shardRows: z.array(z.int().positive()).readonly(),
  shardDigests: z.array(z.string()).readonly(),
  heldOutRows: z.int().nonnegative(),
  heldOutDigest: z.string(),
  refusedRows: z.int().nonnegative(),
  refused: z.array(storedRefusal).readonly(),
  // Absent in what releases before 0.3 prepared.
  unknown: z.record(z.string(), z.int()).default({}),
  refusedClasses: z.array(z.string()).readonly().default([]),
});

const partSchema = manifestSchema
  .pick({ shardRows: true, shardDigests: true, heldOutRows: true, heldOutDigest: true })
  .extend({ tally: rowSums, begin: filePlace.optional(), end: filePlace.optional() });

type Stored<Schema extends z.ZodType> = Readonly<z.output<Schema>> & {
  readonly hash: string;
  /** Statistics of the number features over the training rows. */
  readonly statistics: FeatureStatistics;
};

/**
 * A dataset, encoded and split once, in shards of `prepared/<hash>/`: derived, safe to delete. The
 * shards of one that grows, or of one that was prepared in parts, lie below other names.
 */
export type PreparedDataset = Stored<typeof manifestSchema>;

/** A part of a dataset, prepared by itself. Its first and last place are known of a text. */
export type PreparedPart = Stored<typeof partSchema>;

/** Writes what a dataset was prepared to: it is there once this is. */
export async function writeManifest(store: ObjectStore, prepared: PreparedDataset): Promise<void> {
  await store.put(keys.prepared(prepared.hash, manifestFile), encode(prepared));
}

/**
 * What a dataset was prepared to; undefined if it is not, `damaged` if nobody can tell any more.
 */
export async function readManifest(
  store: ObjectStore,
  hash: string,
): Promise<PreparedDataset | 'damaged' | undefined> {
  const found = await read(store, keys.prepared(hash, manifestFile), manifestSchema);
  return typeof found === 'object' ? { hash, ...found } : found;
}

/** As {@link writeManifest}, of a part. */
export async function writePart(store: ObjectStore, prepared: PreparedPart): Promise<void> {
  await store.put(keys.prepared(prepared.hash, partFile), encode(prepared));
}

/** As {@link readManifest}, of a part. */
export async function readPart(
  store: ObjectStore,
  hash: string,
): Promise<PreparedPart | 'damaged' | undefined> {
  const found = await read(store, keys.prepared(hash, partFile), partSchema);
  return typeof found === 'object' ? { hash, ...found } : found;
}

/** Makes a dataset one that is not prepared. */
export async function forgetManifest(store: ObjectStore, hash: string): Promise<void> {
  await store.put(keys.prepared(hash, manifestFile), new Uint8Array());
}

/** Makes a part one that is not prepared. */
export async function forgetPartFile(store: ObjectStore, hash: string): Promise<void> {
  await store.put(keys.prepared(hash, partFile), new Uint8Array());
}

/** Where the rows of a prepared dataset lie: those of one that grows in two places. */
export async function preparedNames(store: ObjectStore, hash: string): Promise<readonly string[]> {
  const manifest = await readManifest(store, hash);
  const base = typeof manifest === 'object' ? manifest.base : undefined;
  return base === undefined ? [hash] : [hash, base.hash];
}

/** The parts of a stored spec that decide how rows are encoded and split. */
const storedSchema = z.looseObject({
  features: z.looseObject({}).optional(),
  ignore: z.unknown().optional(),
  cells: z.unknown().optional(),
  revision: z.unknown().optional(),
  label: z.unknown().optional(),
  task: z.unknown().optional(),
  seed: z.unknown().optional(),
  batch: z.looseObject({ validation: z.unknown().optional() }).optional(),
});

/** The name of the prepared rows: a hash of all that they depend on. */
export function preparedName(stored: unknown, identity: unknown, { halfLives }: Layout): string {
  const { features, ignore, cells, revision, label, task, seed, batch } =
    storedSchema.parse(stored);
  const { validation } = batch ?? {};
  const bounds = [limits.shardRows, limits.heldOutRows];
  const all = {
    ...(halfLives && { halfLives }),
    features,
    ...(ignore === undefined ? {} : { ignore }),
    cells,
    revision,
    label,
    task,
    seed,
    validation,
    identity,
    limits: bounds,
    // (Before 0.37 rows drew their folds one by one.)
    ...(isOfFolds(validation) && { folds: 'even' }),
  };
  return hashOfDerived(features, all).slice(0, 40);
}

function isOfFolds(validation: unknown): boolean {
  return isRecord(validation) && 'folds' in validation;
}

const manifestFile = 'manifest.safetensors';
const partFile = 'part.safetensors';

function encode({ statistics, hash: _, ...sums }: PreparedDataset | PreparedPart): Uint8Array {
  const all = { ...sums, ...statisticsMetadata(statistics) };
  return encodeDigested({
    tensors: statisticsTensors(statistics, ''),
    metadata: { manifest: storedJson(all, 'the manifest') },
  });
}

async function read<Schema extends z.ZodType<object>>(
  store: ObjectStore,
  key: string,
  schema: Schema,
): Promise<(z.output<Schema> & { statistics: FeatureStatistics }) | 'damaged' | undefined> {
  const object = await store.get(key);
  // Nothing at all was written over one that others found to be damaged.
  if (object === undefined || object.body.length === 0) return undefined;
  try {
    const { tensors, metadata } = decodeDigested(object.body);
    const stored: unknown = JSON.parse(metadata.manifest ?? 'null');
    const sums = schema.parse(stored);
    const statistics = statisticsFrom(tensors, z.looseObject({}).parse(stored), '');
    return statistics === undefined ? 'damaged' : { ...sums, statistics };
  } catch (error) {
    if (isOfKind(error, 'corrupt') || error instanceof z.ZodError) return 'damaged';
    throw error;
  }
}
