import { writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { environmentNames } from '../../lib/ports/aws.ts';
import { startLocalCloud } from './cloud.ts';
import { projectDirectory, synthesize } from './synthesize.ts';

/**
 * Runs the stack on this machine for your own models until Ctrl-C. It keeps its data in
 * `.millrace/local/`, and writes the environment with which a program reaches it, as for a deployed
 * stack.
 */
const dataDirectory = join(projectDirectory, '.millrace', 'local');
const environmentFile = join(projectDirectory, '.millrace', 'local.env');

const assembly = join(projectDirectory, 'cdk.out');
await synthesize(assembly);
const cloud = await startLocalCloud(assembly, dataDirectory, {
  onProblem: (problem) => void process.stderr.write(`${problem}\n`),
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
