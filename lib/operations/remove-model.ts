import { keys } from '../bucket/keys.ts';
import { preparedName, preparedNames } from '../datasets/manifest.ts';
import { invalid, isOfKind } from '../errors.ts';
import { layoutOf } from '../features/columns.ts';
import { lastState } from '../fold/checkpoints.ts';
import { readJob } from '../jobs/record.ts';
import { identityOfGrowing, identityOfJournal } from '../jobs/source.ts';
import { loadFirstSpec, loadLaterSpec, noModel } from '../model/stored-spec.ts';
import { parse } from '../parse.ts';
import type { Ports } from '../ports/ports.ts';
import { modelName } from '../spec/names.ts';

/** What there is to remove of a model. */
export type Removal = { readonly objects: number; readonly entries: number };

/** What {@link removeModel} would remove. @throws MillraceError kind `invalid` if there is nothing */
export async function findRemoval({ store }: Pick<Ports, 'store'>, name: string): Promise<Removal> {
  const model = parse(modelName, name, 'model');
  const objects = await store.list(keys.model(model));
  if (objects.length === 0) throw noModel(store, model);
  const journal = keys.journal(model);
  const entries = objects.filter(({ key }) => key.startsWith(journal)).length;
  return { objects: objects.length, entries };
}

/**
 * Removes a model with its history. Its spec goes first: from then on it does not exist. Messages
 * and jobs that wait in the queues are for the next model of its name. A deployed stack refuses it
 * to everybody, since its bucket policy keeps what a fold needs; then nothing is changed.
 *
 * @param remove deletes an object
 * @throws MillraceError kind `invalid` if the stack refuses it
 */
export async function removeModel(
  { store, log, pause, limits }: Pick<Ports, 'store' | 'log' | 'pause' | 'limits'>,
  remove: (key: string) => Promise<void>,
  name: string,
): Promise<Removal> {
  const removal = await findRemoval({ store }, name);
  const prepared = await preparedOf({ store, log }, name).catch(() => []);
  await remove(keys.spec(name)).catch((cause: unknown) => {
    if (!isOfKind(cause, 'invalid')) throw cause;
    throw invalid(
      `${name} is not removed, and nothing is changed: the bucket keeps for ever what a model has ` +
        'learnt. SECURITY.md says who can undo that; a model that is sent nothing costs only its ' +
        'storage',
      cause,
    );
  });
  for (const hash of prepared)
    for (const { key } of await store.list(keys.prepared(hash, ''))) await remove(key);
  // What a function had under way may still arrive; once it has lost its journal, it stops.
  for (let isQuiet = false; ; ) {
    const objects = [
      ...(await store.list(keys.model(name))),
      ...(await store.list(keys.allAsked(name))),
      ...(await store.list(keys.allDue(name))),
    ];
    if (objects.length === 0 && isQuiet) return removal;
    isQuiet = objects.length === 0;
    for (const { key } of objects) await remove(key);
    await pause(limits.putAttempts);
  }
}

/** Where jobs have prepared the samples of a model's journal. */
async function preparedOf(
  ports: Pick<Ports, 'store' | 'log'>,
  model: string,
): Promise<readonly string[]> {
  const { store } = ports;
  const first = await loadFirstSpec(store, model);
  if (first === undefined) return [];
  const { retractions = [] } = (await lastState(ports, model).catch(() => undefined)) ?? {};
  const names: string[] = [];
  for (const job of await store.folders(keys.jobs(model))) {
    const record = await readJob(store, model, job);
    if (record === undefined || record.objects.length > 0) continue;
    const { stored, spec } = (await loadLaterSpec(store, model, record.spec)) ?? first;
    const nameOf = (identity: unknown) => preparedName(stored, identity, layoutOf(spec));
    names.push(...(await preparedNames(store, nameOf(await identityOfJournal(store, record)))));
    names.push(nameOf(await identityOfGrowing(store, record, { retractions })));
  }
  return [...new Set(names)];
}
