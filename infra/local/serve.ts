import { writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { styleText } from 'node:util';
import { readArguments, stopFor } from '../../lib/cli/arguments.ts';
import { MillraceError } from '../../lib/errors.ts';
import { environmentNames } from '../../lib/ports/aws.ts';
import { startLocalCloud } from './cloud.ts';
import { projectDirectory, synthesize } from './synthesize.ts';

/**
 * Runs the stack on this machine for your own models until Ctrl-C. It keeps its data in
 * `.millrace/local/`, and writes the environment with which a program reaches it, as for a deployed
 * stack. It shows each delivery that a model has settled, each slice of a job, and all problems;
 * `--quiet` shows the problems alone.
 */
const dataDirectory = join(projectDirectory, '.millrace', 'local');
const environmentFile = join(projectDirectory, '.millrace', 'local.env');

const { values: given } = readArguments('npm run local -- [--quiet]', {
  options: { quiet: { type: 'boolean', default: false } },
});
const write = (line: string) => void process.stdout.write(`${line}\n`);
const isColoured = { stream: process.stderr };

const assembly = join(projectDirectory, 'cdk.out');
write('Synthesizing the stack, as `cdk deploy` would …');
await synthesize(assembly);
const cloud = await startLocalCloud(assembly, dataDirectory, {
  onProblem: (problem) => void process.stderr.write(`${styleText('red', problem, isColoured)}\n`),
  ...(given.quiet ? {} : { onDone: write }),
}).catch((error: unknown) => {
  if (!(error instanceof MillraceError)) throw error;
  return stopFor(error.message);
});
const lines = Object.entries(cloud.environment).map(([name, value]) => `${name}=${value}\n`);
writeFileSync(environmentFile, lines.join(''));
const shown = (path: string) => relative(process.cwd(), path);
process.stdout.write(`The stack runs on ${cloud.endpoint}; Ctrl-C stops it.
Predictions: POST ${cloud.environment[environmentNames.predictUrl]}<model>
Its environment is in ${shown(environmentFile)}, its data and logs are in ${shown(dataDirectory)}/.
`);
process.once('SIGINT', () => void cloud.stop());
process.once('SIGTERM', () => void cloud.stop());
