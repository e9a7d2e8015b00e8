import * as z from 'zod';
import { putUntilAnswered } from '../bucket/conditional-puts.ts';
import { jsonBody, parseUndamaged } from '../bucket/json-objects.ts';
import { hourOf, keys, timeOfDue } from '../bucket/keys.ts';
import type { BucketPorts, ObjectStore } from '../bucket/object-store.ts';
import { MillraceError } from '../errors.ts';
import type { SampleId } from '../features/sample-id.ts';

const dueSchema = z.looseObject({
  ids: z.array(z.string()),
  label: z.union([z.boolean(), z.string()]),
  /** What is kept of the questions. */
  bytes: z.int().nonnegative().default(0),
});

/** Whose labels are waited for, and what is learnt of those that do not come. */
export type Due = {
  readonly ids: readonly SampleId[];
  readonly label: boolean | string;
  /** The bytes of their features. */
  readonly bytes: number;
};

/**
 * Keeps that the labels of some questions are waited for.
 *
 * @param until in milliseconds since 1970
 * @param name a text of its own, of letters, digits and dashes
 * @throws MillraceError kind `unavailable` if it may not be kept
 */
export async function keepDue(
  ports: BucketPorts,
  model: string,
  due: Due,
  { until, name }: { readonly until: number; readonly name: string },
): Promise<void> {
  const key = keys.due(model, { time: until, name });
  const outcome = await putUntilAnswered(ports, key, jsonBody(due, key), { ifNoneMatch: '*' });
  if (outcome === undefined) throw new MillraceError('unavailable', `${key} could not be written`);
}

/**
 * The keys of a model's questions that have waited until a time, the oldest first: those of an hour
 * at a time.
 *
 * @param now in milliseconds since 1970
 */
export async function* keysOfDue(
  store: ObjectStore,
  model: string,
  now: number,
): AsyncGenerator<readonly string[], void, void> {
  const thisHour = hourOf(now);
  for (const hour of await store.folders(keys.allDue(model))) {
    if (hour > thisHour) return;
    const listed = await store.list(keys.dueWithin(model, hour));
    // Whatever else lies there is not ours.
    yield listed.map(({ key }) => key).filter((key) => (timeOfDue(key) ?? after) <= now);
  }
}

const after = Number.POSITIVE_INFINITY;

/** What is due by a key; undefined if it is gone, or damaged. */
export async function readDue(store: ObjectStore, key: string): Promise<Due | undefined> {
  const object = await store.get(key);
  return object && parseUndamaged(dueSchema, object.body);
}
