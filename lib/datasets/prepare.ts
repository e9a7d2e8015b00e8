import type { ObjectStore } from '../bucket/object-store.ts';
import type { Ports } from '../ports/ports.ts';
import {
  forgetManifest,
  type PreparedDataset,
  preparedName,
  readManifest,
  writeManifest,
} from './manifest.ts';
import { isInParts, type PartsToPrepare } from './parts.ts';
import { createPreparation, type Declared } from './preparation.ts';
import { prepareByParts, type SideBySide } from './prepare-by-parts.ts';
import type { SampleSource } from './source.ts';
import { decodeUnfinished, type Unfinished } from './unfinished.ts';
import {
  dropUnfinished,
  keepUnfinished,
  type Turn,
  unfinishedKey,
  workThrough,
} from './work-through.ts';

/** A dataset that is prepared, or how far it is. */
export type Preparing =
  | { readonly isDone: true; readonly prepared: PreparedDataset }
  | {
      readonly isDone: false;
      readonly rows: number;
      /** Of a dataset that is prepared in parts, which of them are missing. */
      readonly parts?: PartsToPrepare;
    };

/** How a dataset is prepared. */
export type PrepareOptions = Turn & {
  /** Whether what is prepared already was found to be damaged. */
  readonly isAgain?: boolean;
  /** Whether parts of it are left to others; nobody else prepares any unless given. */
  readonly sideBySide?: SideBySide;
};

/**
 * Encodes a dataset, or finds it already encoded. Every run over the same objects with the same
 * spec writes the same bytes, however often it is broken off and goes on, and the manifest last. A
 * large one is prepared in parts, any of which others may prepare beside this; others in order, a
 * source that grows from where the last job over it ended.
 *
 * @throws MillraceError kind `invalid` if no row can be learnt, more are refused than the spec
 *   allows, or there is no time for any of them
 */
export async function prepareDataset(
  ports: Pick<Ports, 'store' | 'log' | 'limits' | 'pause'>,
  declared: Declared,
  source: SampleSource,
  options: PrepareOptions = {},
): Promise<Preparing> {
  const { store, log } = ports;
  const { layout } = declared.encoder;
  const nameOf = (identity: unknown) => preparedName(declared.stored, identity, layout);
  const objects = isInParts(source.objects, layout, ports.limits) ? source.objects : undefined;
  const { identity } = source;
  const { partBytes } = ports.limits;
  // Releases before 0.14 prepared all datasets in order: a job over one goes on with that.
  const whole = nameOf(identity);
  const hash = objects === undefined ? whole : nameOf({ identity, partBytes });
  for (const name of new Set([hash, whole])) {
    const found = await readManifest(store, name);
    if (found === undefined) continue;
    if (typeof found === 'object' && !options.isAgain) return { isDone: true, prepared: found };
    log.warn('a prepared dataset is damaged, and prepared again', { hash: name });
    if (name !== hash) await forgetManifest(store, name);
  }
  if (objects !== undefined) return prepareByParts(ports, declared, { hash, objects }, options);
  const growing = source.growing === undefined ? hash : nameOf(await source.growing());
  // Whoever must go on with it must find neither.
  if (options.isAgain) {
    await forgetManifest(store, hash);
    await dropUnfinished(store, growing);
  }
  return prepareInOrder(store, declared, source, { hash, growing, ...options });
}

/** The names of a dataset, and of all that it may grow to. */
type Names = { readonly hash: string; readonly growing: string };

async function prepareInOrder(
  store: ObjectStore,
  declared: Declared,
  source: SampleSource,
  { hash, growing, ...turn }: Names & Turn,
): Promise<Preparing> {
  const { base, kept } = await readUnfinished(store, { hash, growing }, source);
  const preparation = createPreparation(store, declared, { base, kept });
  const work = { ...turn, preparation, base, kept, samples: source.samples };
  const { isDone, isKept } = await workThrough(store, work);
  if (!isDone) return { isDone: false, rows: preparation.rows() };
  const isGrowing = base !== hash;
  if (isGrowing && preparation.hasMoved()) await keepUnfinished(store, work);
  const prepared = await preparation.finish(hash);
  await writeManifest(store, prepared);
  if (isKept && !isGrowing) await dropUnfinished(store, base);
  return { isDone: true, prepared };
}

/**
 * How far a source was prepared before, and below which name. Where a later job is beyond its end
 * already, it goes on by itself: two that each began anew would never end.
 */
async function readUnfinished(
  store: ObjectStore,
  { hash, growing }: Names,
  { end = Number.POSITIVE_INFINITY }: SampleSource,
): Promise<{ readonly base: string; readonly kept: Unfinished | undefined }> {
  for (const base of [growing, hash]) {
    const object = await store.get(unfinishedKey(base));
    const kept = object && decodeUnfinished(object.body);
    if (kept === undefined || kept.place.done <= end) return { base, kept };
  }
  return { base: hash, kept: undefined };
}
