import * as z from 'zod';
import { putUntilAnswered } from '../bucket/conditional-puts.ts';
import { jsonBody, parseUndamaged } from '../bucket/json-objects.ts';
import { keys } from '../bucket/keys.ts';
import type { BucketPorts, ObjectStore } from '../bucket/object-store.ts';
import { MillraceError } from '../errors.ts';
import type { Layout } from '../features/samples.ts';
import { eachInOrder } from '../in-order.ts';
import { limits, type ProtocolLimits } from '../limits.ts';
import { bytesOfObject, type PinnedObject, pinnedObject } from './byte-source.ts';
import { isDrawn } from './held-out.ts';
import { type Declared, heldOutRowsOf } from './preparation.ts';
import { cutsOf } from './rows.ts';

/**
 * Rows of a dataset that are prepared by themselves: those of some of its objects, or of a stretch
 * of one. What they become depends on the part alone.
 */
export const partSchema = z.strictObject({
  /** Its place among the parts, from 0. */
  part: z.int().nonnegative(),
  objects: z.array(pinnedObject),
  /** The stretch of its only object; see {@link cutsOf}. */
  from: z.int().positive().optional(),
  to: z.int().positive().optional(),
  /** How many of its rows are held out at most. */
  heldOutRows: z.int().nonnegative(),
});

/** A part as its plan has it. */
export type Part = Readonly<z.output<typeof partSchema>>;

/** How far a dataset is prepared in parts, as the lane of its job has it. */
export const partsToPrepare = z.strictObject({
  plan: z.string(),
  all: z.int(),
  /** Those that nobody has prepared. */
  missing: z.int(),
  /** Whether they are left to the state machine; the next slice prepares them unless they are. */
  isSideBySide: z.boolean(),
});

/** A {@link partsToPrepare}. */
export type PartsToPrepare = Readonly<z.output<typeof partsToPrepare>>;

/** Large datasets are prepared in parts: those whose parts would be more than so many. */
const fewestParts = 8;

/**
 * Whether a dataset is prepared in parts. Where a row says what the rows before it said, as the
 * mean of their labels does, only the whole can be prepared, in order.
 */
export function isInParts(
  objects: readonly PinnedObject[] | undefined,
  { targets, lags }: Layout,
  { partBytes }: Pick<ProtocolLimits, 'partBytes'>,
): boolean {
  if (objects === undefined || targets !== undefined || lags !== undefined) return false;
  const bytes = objects.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  return bytes >= fewestParts * partBytes;
}

/**
 * The parts of a dataset, in order: the plan is made once, and stays, whatever later releases would
 * make of it. One that is damaged is made again.
 *
 * @throws MillraceError kind `invalid` if a file cannot be read
 */
export async function readOrPlanParts(
  ports: BucketPorts,
  key: string,
  objects: readonly PinnedObject[],
  declared: Pick<Declared, 'spec' | 'encoder'>,
): Promise<readonly Part[]> {
  const { store } = ports;
  const existing = await store.get(key);
  const plan = existing && parseUndamaged(planSchema, existing.body);
  if (plan !== undefined) return plan;
  const cut = await planParts(store, objects, ports.limits.partBytes);
  const heldOutRows = heldOutRowsOfParts(declared, cut.length);
  const parts = cut.map((each, part) => ({ part, ...each, heldOutRows: heldOutRows(part) }));
  const condition = existing ? { ifMatch: existing.etag } : { ifNoneMatch: '*' as const };
  await putUntilAnswered(ports, key, jsonBody(parts, key), condition);
  const written = await store.get(key);
  const planned = written && parseUndamaged(planSchema, written.body);
  if (planned === undefined) throw new MillraceError('unavailable', `${key} could not be written`);
  return planned;
}

/**
 * How many rows each part may hold out. Those that are drawn are drawn from all parts alike; a
 * power of two stays the same for most lengths of a dataset that grows, and so do its parts. Those
 * that are held out for what they say may all be in one.
 */
function heldOutRowsOfParts(
  { spec, encoder }: Pick<Declared, 'spec' | 'encoder'>,
  parts: number,
): (part: number) => number {
  const all = heldOutRowsOf(encoder.layout);
  if (!isDrawn(spec.batch.validation)) return () => all;
  if (parts <= all) return () => 2 ** Math.floor(Math.log2(all / parts));
  const stride = 2 ** Math.ceil(Math.log2(parts / all));
  return (part) => (part % stride === 0 ? 1 : 0);
}

/** Where the parts of a dataset are told: a list, as Step Functions reads it. */
export function planKey(hash: string): string {
  return keys.prepared(hash, 'parts.json');
}

/** Says that a part is prepared, so that one listing tells all that are. */
export async function markPrepared(store: ObjectStore, plan: string, part: number): Promise<void> {
  await store.put(`${marks(plan)}${part}`, Buffer.from('prepared\n'));
}

/** The numbers of the parts that were prepared. */
export async function markedParts(store: ObjectStore, plan: string): Promise<ReadonlySet<number>> {
  const marked = (await store.list(marks(plan))).filter(({ sizeBytes }) => sizeBytes > 0);
  return new Set(marked.map(({ key }) => Number(key.slice(marks(plan).length))));
}

/** Says that no part is prepared. */
export async function unmarkParts(store: ObjectStore, plan: string): Promise<void> {
  const marked = await store.list(marks(plan));
  const unmark = ({ key }: { readonly key: string }) => store.put(key, new Uint8Array());
  for await (const _ of eachInOrder(limits.readsAtOnce, marked, unmark));
}

/** Below which the prepared parts are marked. */
function marks(plan: string): string {
  return plan.replace(/parts\.json$/, 'parts/');
}

const planSchema = z.array(partSchema).readonly();

/** Small objects are put together, large ones are cut where they can be. */
async function planParts(store: ObjectStore, objects: readonly PinnedObject[], partBytes: number) {
  const parts: Pick<Part, 'objects' | 'from' | 'to'>[] = [];
  let together: PinnedObject[] = [];
  let [bytes, listed] = [0, 0];
  const endTogether = () => {
    if (together.length > 0) parts.push({ objects: together });
    together = [];
    [bytes, listed] = [0, 0];
  };
  const cutsOfLarge = await cutsOfObjects(
    store,
    objects.filter(({ sizeBytes }) => sizeBytes > partBytes),
    partBytes,
  );
  for (const object of objects) {
    const { sizeBytes } = object;
    const own = Buffer.byteLength(JSON.stringify(object));
    if (bytes + sizeBytes > partBytes || listed + own > limits.partListBytes) endTogether();
    if (sizeBytes <= partBytes) {
      together.push(object);
      bytes += sizeBytes;
      listed += own;
      continue;
    }
    const places = [undefined, ...(cutsOfLarge.get(object) ?? [])];
    for (const [i, from] of places.entries()) {
      const to = places[i + 1];
      parts.push({ objects: [object], ...(from && { from }), ...(to && { to }) });
    }
  }
  endTogether();
  return parts;
}

/** Where objects may be cut: some are looked at at once. */
async function cutsOfObjects(
  store: ObjectStore,
  objects: readonly PinnedObject[],
  partBytes: number,
): Promise<ReadonlyMap<PinnedObject, readonly number[]>> {
  const found = new Map<PinnedObject, readonly number[]>();
  const look = (object: PinnedObject) =>
    cutsOf({ name: object.key, bytes: bytesOfObject(store, object) }, partBytes);
  const looked = eachInOrder(limits.readsAtOnce, objects, look);
  for await (const [object, cuts] of looked) found.set(object, cuts);
  return found;
}
