import { S3Client } from '@aws-sdk/client-s3';
import { type FilesOfDataset, findFiles, removeFiles } from '../operations/remove-dataset.ts';
import { findRemoval, removeModel } from '../operations/remove-model.ts';
import { clientSettings } from '../ports/aws.ts';
import { s3Remover } from '../ports/s3.ts';
import { count, type Io } from './io.ts';

/** Removes a model and all that it has learnt, after it has said how much that is. */
export async function remove(io: Io, model: string): Promise<number> {
  const { ports, print, result, mayChange } = io;
  const { objects, entries } = await findRemoval(ports, model);
  const what = `${count(objects, 'object')}, ${count(entries, 'entry', 'entries')} of its journal`;
  if (!(await mayChange(`${model}: remove it for ever, ${what}`))) return 0;
  result(await withRemover(io, (removeKey) => removeModel(ports, removeKey, model)));
  print(`${model}: removed. What waits in the queues is for the next model of this name;`);
  print('  what a program had sent within five minutes is not taken a second time');
  return 0;
}

/** Removes files of a dataset, or all of it, after it has said how many they are. */
export async function removeDataset(io: Io, which: FilesOfDataset): Promise<number> {
  const { ports, print, result, mayChange } = io;
  const { dataset } = which;
  const objects = await findFiles(ports, which);
  const sizeBytes = objects.reduce((sum, object) => sum + object.sizeBytes, 0);
  const what = `${count(objects.length, 'file')}, ${(sizeBytes / 1_048_576).toFixed(1)} MiB`;
  if (!(await mayChange(`${dataset}: remove ${what}`))) return 0;
  const { removed } = await withRemover(io, (removeKey) => removeFiles(ports, removeKey, which));
  result({ dataset, removed });
  print(`${dataset}: ${count(removed.length, 'file')} removed; what was learnt of them stays`);
  return 0;
}

async function withRemover<Result>(
  { ports }: Pick<Io, 'ports'>,
  use: (removeKey: (key: string) => Promise<void>) => Promise<Result>,
): Promise<Result> {
  const s3 = new S3Client(clientSettings);
  try {
    return await use(s3Remover(s3, ports.store.bucket));
  } finally {
    s3.destroy();
  }
}
