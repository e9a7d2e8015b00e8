import type { BucketPorts, ObjectStore } from '../bucket/object-store.ts';
import { hashText } from '../features/hash.ts';
import { bytesOfObject } from './byte-source.ts';
import type { FilePlace } from './formats/format.ts';
import {
  forgetPartFile,
  type PreparedPart,
  preparedName,
  readPart,
  writePart,
} from './manifest.ts';
import { markPrepared, type Part } from './parts.ts';
import { createPreparation, type Declared } from './preparation.ts';
import { placeOfCut } from './rows.ts';
import { samplesOfObjects } from './source.ts';
import { decodeUnfinished, type SourcePlace } from './unfinished.ts';
import { dropUnfinished, type Turn, unfinishedKey, workThrough } from './work-through.ts';

/** A part of a dataset, and the plan that it is of. */
export type PlannedPart = { readonly plan: string; readonly part: Part };

/** A part that is prepared, or how many of its rows are. */
export type PreparingPart =
  | { readonly isDone: true; readonly prepared: PreparedPart }
  | { readonly isDone: false; readonly rows: number };

/** How a part is prepared. */
export type PartOptions = Turn & {
  /** Where its first row begins, if that is known; the first line behind its cut unless given. */
  readonly begin?: FilePlace | undefined;
};

/**
 * Prepares a part of a dataset, or finds it prepared. Whoever prepares it, and however often it is
 * broken off, it has the same bytes, and is marked last.
 *
 * @throws MillraceError kind `invalid` if it cannot be read, or there is no time for any of it
 */
export async function preparePart(
  { store }: Pick<BucketPorts, 'store'>,
  declared: Declared,
  { plan, part }: PlannedPart,
  { begin: known, ...turn }: PartOptions = {},
): Promise<PreparingPart> {
  const hash = nameOfPart(declared, part, known);
  const found = await readPart(store, hash);
  if (typeof found === 'object') {
    await markPrepared(store, plan, part.part);
    return { isDone: true, prepared: found };
  }
  const begin = known ?? (await beginOf(store, part));
  const object = await store.get(unfinishedKey(hash));
  const kept = object && decodeUnfinished(object.body);
  const { heldOutRows } = part;
  const salt = saltOf(part);
  const preparation = createPreparation(store, declared, { base: hash, kept, heldOutRows, salt });
  let end: FilePlace | undefined;
  const samples = async function* (place: SourcePlace | undefined) {
    const from = place ?? (begin && { done: 0, inside: begin });
    end = from?.inside;
    for await (const chunk of samplesOfObjects(store, declared.spec, part.objects, {
      from,
      to: part.to,
    })) {
      end = chunk.end?.inside ?? end;
      yield chunk;
    }
  };
  const done = await workThrough(store, { ...turn, preparation, base: hash, kept, samples });
  if (!done.isDone) return { isDone: false, rows: preparation.rows() };
  const rows = await preparation.finishPart(hash);
  const prepared = { ...rows, ...(begin && { begin }), ...(end && { end }) };
  await writePart(store, prepared);
  if (done.isKept) await dropUnfinished(store, hash);
  await markPrepared(store, plan, part.part);
  return { isDone: true, prepared };
}

/** A part as it was prepared from its cut; undefined if it is not, or is damaged. */
export async function readPrepared(
  store: ObjectStore,
  declared: Declared,
  part: Part,
): Promise<PreparedPart | undefined> {
  const found = await readPart(store, nameOfPart(declared, part));
  return typeof found === 'object' ? found : undefined;
}

/** Makes a part of a name one that is not prepared. */
export async function forgetPart(store: ObjectStore, hash: string): Promise<void> {
  await forgetPartFile(store, hash);
  await dropUnfinished(store, hash);
}

/**
 * The name of a part's rows: other datasets that have the same part find it prepared.
 *
 * @param begin where it begins, if that is not its cut
 */
export function nameOfPart({ stored, encoder }: Declared, part: Part, begin?: FilePlace): string {
  const { part: _, ...own } = part;
  return preparedName(stored, { part: own, begin }, encoder.layout);
}

/** Where the first row of a part begins; undefined where it begins with its object. */
async function beginOf(
  store: ObjectStore,
  { objects: [object], from }: Part,
): Promise<FilePlace | undefined> {
  if (object === undefined || from === undefined) return undefined;
  return placeOfCut({ name: object.key, bytes: bytesOfObject(store, object) }, from);
}

/** What tells the rows of a part from those of others: where they lie. */
function saltOf({ objects: [object], from = 0 }: Part): number {
  return hashText(JSON.stringify([object?.key, from]));
}
