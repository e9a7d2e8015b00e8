import type { ObjectStore } from '../bucket/object-store.ts';
import { eachInOrder } from '../in-order.ts';
import { limits } from '../limits.ts';
import type { Ports } from '../ports/ports.ts';
import type { PinnedObject } from './byte-source.ts';
import { joinParts, type Parted } from './join-parts.ts';
import { forgetManifest, type PreparedDataset, readManifest } from './manifest.ts';
import {
  markedParts,
  type PartsToPrepare,
  planKey,
  readOrPlanParts,
  unmarkParts,
} from './parts.ts';
import type { Declared } from './preparation.ts';
import { forgetPart, nameOfPart, preparePart } from './prepare-part.ts';
import type { Turn } from './work-through.ts';

/** Whether parts are left to others, who prepare them side by side. */
export type SideBySide = (parts: { readonly missing: number }) => boolean;

/** A large dataset that is prepared, or which of its parts are missing. */
export type PreparingParts =
  | { readonly isDone: true; readonly prepared: PreparedDataset }
  | { readonly isDone: false; readonly rows: number; readonly parts: PartsToPrepare };

/** How a large dataset is prepared. */
type Options = Turn & { readonly isAgain?: boolean; readonly sideBySide?: SideBySide };

/**
 * Prepares a dataset in parts, those one after another that nobody else prepares, and puts together
 * what they came to. Who prepared a part, when, and how often changes no byte.
 *
 * @throws MillraceError kind `invalid` as `prepareDataset()`
 */
export async function prepareByParts(
  ports: Pick<Ports, 'store' | 'limits' | 'pause'>,
  declared: Declared,
  { hash, objects }: { readonly hash: string; readonly objects: readonly PinnedObject[] },
  { isAgain = false, sideBySide = () => false, ...turn }: Options,
): Promise<PreparingParts> {
  const { store } = ports;
  const plan = planKey(hash);
  const parts = await readOrPlanParts(ports, plan, objects, declared);
  const dataset = { hash, plan, parts };
  if (isAgain) await forgetParts(store, declared, dataset);
  const marked = await markedParts(store, plan);
  const missing = parts.filter(({ part }) => !marked.has(part));
  const unfinished = (rows: number, done: number) => {
    const counts = { all: parts.length, missing: missing.length - done };
    const own = { plan, ...counts, isSideBySide: counts.missing > 0 && sideBySide(counts) };
    return { isDone: false, rows, parts: own } as const;
  };
  if (missing.length > 0 && sideBySide({ missing: missing.length })) return unfinished(0, 0);
  let rows = 0;
  for (const [done, part] of missing.entries()) {
    if (done > 0 && turn.isTimeUp?.()) return unfinished(rows, done);
    const own = { ...turn, isLater: done > 0 };
    const preparing = await preparePart(ports, declared, { plan, part }, own);
    if (!preparing.isDone) return unfinished(rows + preparing.rows, done);
    rows += preparing.prepared.tally.rows;
  }
  const prepared = await joinParts(ports, declared, dataset, turn);
  return prepared === undefined ? unfinished(rows, missing.length) : { isDone: true, prepared };
}

/**
 * Makes all parts such that are not prepared, wherever the manifest says that they begin. It is the
 * last to be forgotten: whoever finds the damage again begins here again.
 */
async function forgetParts(
  store: ObjectStore,
  declared: Declared,
  { hash, plan, parts }: Parted,
): Promise<void> {
  await unmarkParts(store, plan);
  const manifest = await readManifest(store, hash);
  const joined = typeof manifest === 'object' ? (manifest.parts ?? []) : [];
  const hashes = new Set([
    ...joined.map((part) => part.hash),
    ...parts.map((part) => nameOfPart(declared, part)),
  ]);
  const forget = (own: string) => forgetPart(store, own);
  for await (const _ of eachInOrder(limits.readsAtOnce, [...hashes], forget));
  await forgetManifest(store, hash);
}
