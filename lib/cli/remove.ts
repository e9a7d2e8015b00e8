import { S3Client } from '@aws-sdk/client-s3';
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
  const s3 = new S3Client(clientSettings);
  try {
    result(await removeModel(ports, s3Remover(s3, ports.store.bucket), model));
    print(`${model}: removed. What waits in the queues is for the next model of this name;`);
    print('  what a program had sent within five minutes is not taken a second time');
    return 0;
  } finally {
    s3.destroy();
  }
}
