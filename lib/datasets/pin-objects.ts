import { keys } from '../bucket/keys.ts';
import type { ObjectStore } from '../bucket/object-store.ts';
import { limits } from '../limits.ts';
import { type Refused, refuse } from '../refusal.ts';
import type { Spec } from '../spec/spec.ts';
import type { PinnedObject } from './byte-source.ts';
import { fileNamed } from './file-names.ts';
import { dataNamed } from './rows.ts';

/** The exact objects that a job reads; none for the journal. */
export type Pinned =
  | { readonly ok: true; readonly objects: readonly PinnedObject[] }
  | Refused<'bad-dataset'>;

/** A dataset below `datasets/`, or the journal, and which of its files. */
export type DatasetFiles = { readonly dataset: string; readonly files?: string | undefined };

/** The name of the dataset that is held out, where that is one of its own. */
export function heldOutDataset({ batch: { validation } }: Spec): string | undefined {
  return typeof validation === 'object' && 'dataset' in validation ? validation.dataset : undefined;
}

/**
 * The objects of a job: those of its dataset, and then those of the one that its spec holds out.
 *
 * @returns refused if one of them is missing or too large
 */
export async function pinObjects(
  store: ObjectStore,
  { dataset, files }: DatasetFiles,
  spec: Spec,
): Promise<Pinned> {
  const apart = heldOutDataset(spec);
  if (dataset === 'journal') return journalObjects(files, apart);
  const own = await objectsOf(store, { dataset, files });
  if (!own.ok || apart === undefined) return own;
  if (apart === dataset)
    return refuse(
      'bad-dataset',
      `spec.batch.validation: dataset ${apart} is the one to learn; name another, or hold out some ` +
        'of its files',
    );
  const others = await objectsOf(store, { dataset: apart });
  if (!others.ok) return refuse('bad-dataset', `spec.batch.validation: ${others.reason}`);
  return tooMany(dataset, [...own.objects, ...others.objects]);
}

/** What a job over the journal pins. */
function journalObjects(files: string | undefined, apart: string | undefined): Pinned {
  if (files !== undefined)
    return refuse('bad-dataset', `the journal has no files (found files ${JSON.stringify(files)})`);
  if (apart !== undefined)
    return refuse(
      'bad-dataset',
      `spec.batch.validation: dataset ${apart} is held out of jobs over datasets; of the journal ` +
        'hold out a share, or by a column',
    );
  return { ok: true, objects: [] };
}

async function objectsOf(store: ObjectStore, { dataset, files }: DatasetFiles): Promise<Pinned> {
  const all = await store.list(keys.dataset(dataset));
  const isNamed = fileNamed(files ?? '*');
  const listed = all.filter(({ key }) => isNamed(key));
  if (all.length > 0 && listed.length === 0)
    return refuse(
      'bad-dataset',
      `dataset ${dataset}: none of its ${all.length} files is named ${JSON.stringify(files)}`,
    );
  const objects = dataNamed(all, files);
  if (objects.length > 0) return tooMany(dataset, objects);
  if (listed.length > 0)
    return refuse('bad-dataset', `dataset ${dataset}: no row is in its files (${listed.length})`);
  return refuse(
    'bad-dataset',
    `dataset ${dataset}: there is no object below s3://${store.bucket}/${keys.dataset(dataset)}; ` +
      `put one: npx millrace dataset put ${dataset} <files…>`,
  );
}

function tooMany(dataset: string, objects: readonly PinnedObject[]): Pinned {
  if (objects.length <= limits.datasetObjects) return { ok: true, objects };
  return refuse(
    'bad-dataset',
    `dataset ${dataset}: at most ${limits.datasetObjects} objects are allowed (found ${objects.length})`,
  );
}
