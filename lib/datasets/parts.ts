import { z } from 'zod';
import { putUntilAnswered } from '../bucket/conditional-puts.ts';
import { jsonBody, readJsonObject } from '../bucket/json-objects.ts';
import { keys } from '../bucket/keys.ts';
import type { BucketPorts, ObjectStore } from '../bucket/object-store.ts';
import { MillraceError } from '../errors.ts';
import type { Layout } from '../features/samples.ts';
import { inOrder } from '../in-order.ts';
import { limits, type ProtocolLimits } from '../limits.ts';
import { bytesOfObject, type PinnedObject } from './byte-source.ts';
import { cutsOf } from './rows.ts';

/**
 * Rows of a dataset that are prepared by themselves: those of some of its objects, or of a stretch
 * of one. What they become depends on the part alone.
 */
export const partSchema = z.strictObject({
  /** Its place among the parts, from 0. */
  part: z.int().nonnegative(),
  objects: z.array(z.strictObject({ key: z.string(), etag: z.string(), sizeBytes: z.int() })),
  /** The stretch of its only object; see {@link cutsOf}. */
  from: z.int().positive().optional(),
  to: z.int().positive().optional(),
  /** How many of its rows are held out at most. */
  heldOutRows: z.int().nonnegative(),
});

/** A part as its plan has it. */
export type Part = Readonly<z.output<typeof partSchema>>;

/** The parts of a dataset that nobody has prepared. */
export type PartsToPrepare = {
  readonly plan: string;
  readonly all: number;
  readonly missing: number;
};

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
 * make of it.
 *
 * @param heldOutRows how many rows are held out at most, in all
 * @throws MillraceError kind `invalid` if a file cannot be read
 */
export async function readOrPlanParts(
  ports: BucketPorts,
  key: string,
  objects: readonly PinnedObject[],
  heldOutRows: number,
): Promise<readonly Part[]> {
  const { store } = ports;
  const existing = await readPlan(store, key);
  if (existing !== undefined) return existing;
  const parts = await planParts(store, objects, ports.limits.partBytes);
  // A power of two: it is the same for most lengths of a dataset that grows, and so are its parts.
  const own = 2 ** Math.floor(Math.log2(Math.max(1, heldOutRows / parts.length)));
  const plan = parts.map((each, part) => ({ part, ...each, heldOutRows: own }));
  await putUntilAnswered(ports, key, jsonBody(plan, key), { ifNoneMatch: '*' });
  const written = await readPlan(store, key);
  if (written === undefined) throw new MillraceError('unavailable', `${key} could not be written`);
  return written;
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
  for (const { key } of await store.list(marks(plan))) await store.put(key, new Uint8Array());
}

/** Below which the prepared parts are marked. */
function marks(plan: string): string {
  return plan.replace(/parts\.json$/, 'parts/');
}

function readPlan(store: ObjectStore, key: string): Promise<readonly Part[] | undefined> {
  return readJsonObject(store, key, z.array(partSchema));
}

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
  const looked = inOrder(limits.readsAtOnce, (i) => {
    const object = objects[i];
    return (
      object !== undefined &&
      cutsOf({ name: object.key, bytes: bytesOfObject(store, object) }, partBytes)
    );
  });
  for await (const cuts of looked) {
    const object = objects[found.size];
    if (object !== undefined) found.set(object, cuts);
  }
  return found;
}
