import { createHash } from 'node:crypto';
import type { z } from 'zod';
import { jsonBody, parseUndamaged } from '../bucket/json-objects.ts';
import type { ObjectStore } from '../bucket/object-store.ts';
import type { Ports, Starter } from '../ports/ports.ts';

/**
 * Work on many items that a state machine has done side by side. All of it lies in one folder of
 * the bucket: the plan, an outcome for each item, and at last a file that says that nobody works on
 * any.
 */
export type Work = {
  readonly folder: string;
  /** The name of each item's outcome. */
  readonly files: readonly string[];
};

const [planFile, endFile] = ['plan.json', 'end.json'] as const;

/** A name for work that nobody else gives. */
export function nameOfRun({ now, nonce }: Pick<Ports, 'now' | 'nonce'>): string {
  return `${now().toString(36)}-${createHash('sha256').update(nonce()).digest('hex').slice(0, 8)}`;
}

/** Writes the plan, and starts the state machine. @param input that it gets beside the plan's key */
export async function startWork(
  store: ObjectStore,
  start: Starter,
  folder: string,
  {
    items,
    name,
    input,
  }: {
    readonly items: readonly unknown[];
    readonly name: string;
    readonly input: Readonly<Record<string, string>>;
  },
): Promise<void> {
  const plan = folder + planFile;
  await store.put(plan, jsonBody(items, plan));
  await start({ name, input: JSON.stringify({ ...input, plan }) });
}

/** Notes what became of an item. */
export async function putOutcome(
  store: ObjectStore,
  folder: string,
  file: string,
  outcome: unknown,
): Promise<void> {
  await store.put(folder + file, jsonBody(outcome, folder + file));
}

/** Notes that nobody works on an item any more. */
export function noteEnd(store: ObjectStore, folder: string): Promise<void> {
  return putOutcome(store, folder, endFile, {});
}

/** What became of some work, by the names of the outcomes. */
export type WorkSoFar<Outcome> = {
  readonly isOver: boolean;
  readonly outcomes: ReadonlyMap<string, Outcome>;
};

/**
 * Looks what became of some work.
 *
 * @param known what was seen before: it is not read again
 * @throws MillraceError kind `unavailable` if S3 does not answer
 */
export async function lookAtWork<Schema extends z.ZodType>(
  store: ObjectStore,
  { folder, files }: Work,
  schema: Schema,
  known: ReadonlyMap<string, z.output<Schema>> = new Map(),
): Promise<WorkSoFar<z.output<Schema>>> {
  const outcomes = new Map(known);
  const look = async () => {
    const listed = new Set((await store.list(folder)).map(({ key }) => key.slice(folder.length)));
    for (const file of files) {
      if (outcomes.has(file) || !listed.has(file)) continue;
      const object = await store.get(folder + file);
      const outcome = object && parseUndamaged(schema, object.body);
      if (outcome !== undefined) outcomes.set(file, outcome);
    }
    return listed.has(endFile);
  };
  const isEnded = await look();
  // The last outcomes may have come while the first were listed.
  if (isEnded && outcomes.size < files.length) await look();
  return { isOver: isEnded || outcomes.size === files.length, outcomes };
}
