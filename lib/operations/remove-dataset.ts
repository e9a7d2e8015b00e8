import { keys } from '../bucket/keys.ts';
import type { ListedObject, ObjectStore } from '../bucket/object-store.ts';
import { fileNamed } from '../datasets/file-names.ts';
import { invalid } from '../errors.ts';
import { parse } from '../parse.ts';
import type { Ports } from '../ports/ports.ts';
import { datasetName } from '../spec/names.ts';
import { assertDataset } from './start-job.ts';

/** Which files of a dataset. */
export type FilesOfDataset = {
  readonly dataset: string;
  /** Their names, in which `*` stands for any characters; all of its files if there are none. */
  readonly files: readonly string[];
};

/**
 * The objects of a dataset that have some names.
 *
 * @throws MillraceError kind `invalid` if there is no such dataset, or a name is that of no file
 */
export async function findFiles(
  { store }: Pick<Ports, 'store'>,
  { dataset: name, files }: FilesOfDataset,
): Promise<readonly ListedObject[]> {
  const dataset = parse(datasetName, name, 'dataset');
  if (dataset === 'journal') throw invalid('dataset: a journal is none; it stays');
  const names = files.length === 0 ? ['*'] : files;
  for (const file of names) await assertDataset({ store }, dataset, file);
  const objects = await store.list(keys.dataset(dataset));
  return objects.filter(({ key }) => names.some((file) => fileNamed(file)(key)));
}

/**
 * Removes files of a dataset. What jobs have prepared of them stays until it goes by itself; a job
 * that still reads them ends and says so, and what was learnt of them stays learnt.
 *
 * @param remove deletes an object
 * @throws MillraceError kind `invalid` as {@link findFiles}, or if the stack refuses it
 */
export async function removeFiles(
  ports: { readonly store: ObjectStore },
  remove: (key: string) => Promise<void>,
  which: FilesOfDataset,
): Promise<{ readonly removed: readonly string[] }> {
  const objects = await findFiles(ports, which);
  for (const { key } of objects) await remove(key);
  return { removed: objects.map(({ key }) => key) };
}
