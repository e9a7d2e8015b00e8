import { mkdirSync, writeFileSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';
import { styleText } from 'node:util';
import { environmentNames } from '../../lib/ports/address.ts';
import { localAssembly } from './assembly.ts';
import { startLocalCloud } from './cloud.ts';
import { shellFile } from './shell-file.ts';

/**
 * Runs the stack on this machine for one's own models until Ctrl-C. It keeps its data in
 * `.millrace/local/` of the working folder, and writes the environment with which a program reaches
 * it, as for a deployed stack, and the same for a shell. It shows each delivery that a model has
 * settled, each slice of a job, and all problems; quiet, it shows the problems alone, and as JSON
 * the environment beside them.
 */
export async function serve({
  isQuiet,
  isJson,
}: {
  readonly isQuiet: boolean;
  readonly isJson: boolean;
}): Promise<void> {
  const folder = resolve('.millrace');
  const dataDirectory = join(folder, 'local');
  const environmentFile = join(folder, 'local.env');
  const write = (line: string) => void process.stdout.write(`${line}\n`);
  const tell = isJson ? () => undefined : write;
  const isColoured = { stream: process.stderr };

  tell('Starting the stack, as `cdk deploy` would …');
  mkdirSync(folder, { recursive: true });
  const cloud = await startLocalCloud(await localAssembly(), dataDirectory, {
    onProblem: (problem) => void process.stderr.write(`${styleText('red', problem, isColoured)}\n`),
    ...(isQuiet ? {} : { onDone: tell }),
  });
  const lines = Object.entries(cloud.environment).map(([name, value]) => `${name}=${value}\n`);
  writeFileSync(environmentFile, lines.join(''));
  writeFileSync(join(folder, 'local.sh'), shellFile(cloud.environment));
  const shown = (path: string) => relative(process.cwd(), path);
  if (isJson) write(JSON.stringify(cloud.environment));
  tell(`The stack runs on ${cloud.endpoint}; Ctrl-C stops it.
Predictions: POST ${cloud.environment[environmentNames.predictUrl]}<model>
Its environment is in ${shown(environmentFile)},
its data and logs are in ${shown(dataDirectory)}/.`);
  const stop = Promise.withResolvers<void>();
  process.once('SIGINT', () => {
    tell('Stopping once what runs is done; the next start goes on. (Ctrl-C again stops at once.)');
    stop.resolve();
  });
  process.once('SIGTERM', () => stop.resolve());
  await stop.promise;
  await cloud.stop();
}
