import { keys } from '../bucket/keys.ts';
import type { PinnedObject } from '../datasets/byte-source.ts';
import { fileNamed } from '../datasets/file-names.ts';
import { dataNamed } from '../datasets/rows.ts';
import { invalid } from '../errors.ts';
import { loadFirstSpec } from '../model/stored-spec.ts';
import { listNames, parse, show } from '../parse.ts';
import { deduplicationId } from '../ports/deduplication.ts';
import type { Ports } from '../ports/ports.ts';
import { datasetName, fileNames, newJobId } from '../spec/names.ts';

/** A batch job to start. */
export type JobToStart = {
  readonly model: string;
  /** A dataset below `datasets/`, or `journal` for the samples that arrived. */
  readonly dataset: string;
  /** Which of its files; all unless given. `*` stands for any characters. */
  readonly files?: string | undefined;
  /** Its id; the dataset's name and the time unless given. */
  readonly job?: string | undefined;
  /** Where the weights come from; `champion`, those in use, unless given. */
  readonly start?: 'champion' | 'fresh';
};

/**
 * Sends the message that starts a batch job, and answers its id.
 *
 * @throws MillraceError kind `invalid` if there is no such model or dataset, or the id is taken
 */
export async function startJob(
  ports: Ports,
  { model, dataset, files, job: given, start = 'champion' }: JobToStart,
): Promise<string> {
  if ((await loadFirstSpec(ports.store, model)) === undefined)
    throw invalid(`there is no model ${model} in s3://${ports.store.bucket}`);
  const name = parse(datasetName, dataset, 'dataset');
  const job = parse(newJobId, given ?? jobNameOf(name, ports.now()), 'job');
  await assertDataset(ports, name, files === undefined ? '*' : parse(fileNames, files, 'files'));
  if ((await ports.store.get(keys.job(model, job))) !== undefined)
    throw invalid(`job: ${model} has a job ${job} already; see: npx millrace jobs ${model}`);
  await ports.sendJob({
    body: JSON.stringify({ model, dataset: name, files, job, start }),
    group: model,
    deduplication: deduplicationId(model, job),
  });
  return job;
}

/** The dataset and the second: `sales-2026-11-26-14-05-09`. */
function jobNameOf(dataset: string, now: number): string {
  const second = new Date(now).toISOString().slice(0, 19).replace(/[T:]/g, '-');
  return `${dataset.slice(0, 40)}-${second}`;
}

/** @throws MillraceError kind `invalid` if there is no such dataset, or none of its files is named so */
export async function assertDataset(
  ports: Pick<Ports, 'store'>,
  dataset: string,
  files = '*',
): Promise<void> {
  if (dataset !== 'journal') return void (await dataOfDataset(ports, dataset, files));
  if (files !== '*')
    throw invalid(`files: the journal has none (found ${show(files)}); leave them out`);
}

/** The objects of a dataset that hold rows, of named files. @throws as {@link assertDataset} */
export async function dataOfDataset(
  { store }: Pick<Ports, 'store'>,
  dataset: string,
  files = '*',
): Promise<readonly PinnedObject[]> {
  const listed = await store.list(keys.dataset(dataset));
  const isNamed = fileNamed(files);
  if (listed.some(({ key }) => isNamed(key))) return dataNamed(listed, files);
  const [first] = listed;
  if (first !== undefined) {
    const name = first.key.slice(keys.dataset(dataset).length);
    throw invalid(
      listed.length === 1
        ? `files: the only file of ${dataset}, ${name}, is not named ${show(files)}`
        : `files: none of the ${listed.length} files of ${dataset} is named ${show(files)}; the ` +
            `first is ${name}`,
    );
  }
  const known = await store.folders(keys.datasets);
  const others = known.length === 0 ? '' : `; there are ${listNames(known)}`;
  throw invalid(
    `there is no dataset ${dataset}${others}; put one: npx millrace dataset put ${dataset} <files…>`,
  );
}
