import { z } from 'zod';
import { storedJson } from '../bucket/json-objects.ts';
import { keys } from '../bucket/keys.ts';
import type { ObjectStore } from '../bucket/object-store.ts';
import { decodeDigested, encodeDigested } from '../bucket/safetensors.ts';
import { invalid, isOfKind } from '../errors.ts';
import type { Layout } from '../features/samples.ts';
import { limits } from '../limits.ts';
import type { Ports } from '../ports/ports.ts';
import { storedRefusal } from '../refusal.ts';
import { hashOfDerived } from '../spec/identity.ts';
import { statisticsFrom, statisticsMetadata, statisticsTensors } from '../state/statistics-file.ts';
import { createPreparation, type Declared, type PreparedDataset } from './preparation.ts';
import type { SampleChunk } from './tally.ts';
import {
  decodeUnfinished,
  encodeUnfinished,
  type SourcePlace,
  type Unfinished,
} from './unfinished.ts';

/** Where the rows of a dataset come from. */
export type SampleSource = {
  /** What the rows depend on: object keys and ETags, or a journal's range. */
  readonly identity: unknown;
  /**
   * Of a source that grows, what its rows depend on wherever it ends: what was prepared of it is
   * the beginning of what will be.
   */
  readonly growing?: () => Promise<unknown>;
  /** Files or entries in all. */
  readonly end?: number;
  /** Raw samples, in order, in chunks. @param from the place to read on from */
  readonly samples: (from: SourcePlace | undefined) => AsyncIterable<SampleChunk>;
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
  base: z.strictObject({ hash: z.string(), shards: z.int() }).optional(),
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

/** A dataset that is prepared, or how far it is. */
export type Preparing =
  | { readonly isDone: true; readonly prepared: PreparedDataset }
  | { readonly isDone: false; readonly rows: number };

/** How a dataset is prepared. */
export type PrepareOptions = {
  /** Whether what is prepared already was found to be damaged. */
  readonly isAgain?: boolean;
  /** Asked once some rows are prepared: whether others may have their turn. */
  readonly isTimeUp?: () => boolean;
  /** Whether the invocation ends soon. */
  readonly mustStop?: () => boolean;
  /** Told now and then how many rows were read. */
  readonly onRows?: (rows: number) => Promise<void>;
};

/**
 * Encodes a dataset, or finds it already encoded. Every run over the same objects with the same
 * spec writes the same bytes, however often it is broken off and goes on, and the manifest last. It
 * keeps how far it is after every few shards, and when its time is up; a source that grows is
 * prepared from where the last job over it ended.
 *
 * @throws MillraceError kind `invalid` if no row can be learnt, more are refused than the spec
 *   allows, or there is no time for any of them
 */
export async function prepareDataset(
  { store, log }: Pick<Ports, 'store' | 'log'>,
  declared: Declared,
  source: SampleSource,
  { isAgain = false, isTimeUp = () => false, mustStop = () => false, onRows }: PrepareOptions = {},
): Promise<Preparing> {
  const nameOf = (identity: unknown) =>
    preparedName(declared.stored, identity, declared.encoder.layout);
  const hash = nameOf(source.identity);
  const existing = isAgain ? undefined : await store.get(keys.prepared(hash, manifestFile));
  const found = existing && readManifest(hash, existing.body);
  if (found !== undefined) return { isDone: true, prepared: found };
  if (existing !== undefined && existing.body.length > 0)
    log.warn('a prepared dataset is damaged, and prepared again', { hash });
  const growing = source.growing === undefined ? hash : nameOf(await source.growing());
  if (isAgain) {
    // Whoever goes on with it must find neither.
    await store.put(keys.prepared(hash, manifestFile), nothing);
    await store.put(keys.prepared(growing, unfinishedFile), nothing);
  }
  const { base, kept } = await readUnfinished(store, { hash, growing }, source);
  const keptKey = keys.prepared(base, unfinishedFile);
  const work = createPreparation(store, base, declared, kept);
  let isKept = kept !== undefined;
  let keptShards = kept?.shardRows.length ?? 0;
  const keep = async () => {
    await store.put(keptKey, encodeUnfinished(work.soFar()));
    isKept = true;
    keptShards = work.shards();
  };
  for await (const chunk of source.samples(kept?.place)) {
    await work.add(chunk);
    await onRows?.(work.rows());
    if (work.hasMoved() && isTimeUp()) {
      await keep();
      return { isDone: false, rows: work.rows() };
    }
    if (mustStop()) throw tooLong();
    if (chunk.end === undefined || work.shards() - keptShards < limits.shardsPerPart) continue;
    await keep();
  }
  const isGrowing = base !== hash;
  if (isGrowing && work.hasMoved()) await keep();
  const prepared = await work.finish(hash);
  await store.put(keys.prepared(hash, manifestFile), encodeManifest(prepared));
  // Nobody needs it any more, and it may be large.
  if (isKept && !isGrowing) await store.put(keptKey, nothing);
  return { isDone: true, prepared };
}

const nothing = new Uint8Array();

/**
 * How far a source was prepared before, and below which name. Where a later job is beyond its end
 * already, it goes on by itself: two that each began anew would never end.
 */
async function readUnfinished(
  store: ObjectStore,
  { hash, growing }: { readonly hash: string; readonly growing: string },
  { end = Number.POSITIVE_INFINITY }: SampleSource,
): Promise<{ readonly base: string; readonly kept: Unfinished | undefined }> {
  for (const base of [growing, hash]) {
    const object = await store.get(keys.prepared(base, unfinishedFile));
    const kept = object && decodeUnfinished(object.body);
    if (kept === undefined || kept.place.done <= end) return { base, kept };
  }
  return { base: hash, kept: undefined };
}

function tooLong() {
  return invalid(
    'the dataset is too slow: one invocation had time for no row of it; write it as smaller files',
  );
}

/** Where the rows of a prepared dataset lie: those of one that grows in two places. */
export async function preparedNames(store: ObjectStore, hash: string): Promise<readonly string[]> {
  const manifest = await store.get(keys.prepared(hash, manifestFile));
  const base = manifest && readManifest(hash, manifest.body)?.base;
  return base === undefined ? [hash] : [hash, base.hash];
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

const manifestFile = 'manifest.safetensors';
const unfinishedFile = 'unfinished.safetensors';

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
