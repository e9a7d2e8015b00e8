import { execFile, spawnSync } from 'node:child_process';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createModel } from '../../lib/model/create-model.ts';
import { openModel } from '../../lib/serving/open-model.ts';
import { defineSpec } from '../../lib/spec/spec.ts';
import { documented } from '../export/python.ts';
import { startTestCloud, type TestCloud, until } from '../support/test-cloud.ts';
import { blocksOf, textOf } from '../support/tutorial.ts';

/** A Python with a boto3 that reads endpoints from the environment. */
const python = ['python3', '/usr/bin/python3'].find(
  (command) =>
    spawnSync(command, [
      '-c',
      'import boto3; assert tuple(map(int, boto3.__version__.split(".")[:2])) >= (1, 28)',
    ]).status === 0,
);

const [declared = ''] = blocksOf(textOf('docs/python.md'), 'json');
const teams = defineSpec(JSON.parse(declared));

describe.skipIf(python === undefined)('a program in Python', () => {
  let test: TestCloud;
  beforeAll(async () => {
    test = await startTestCloud();
    await createModel(test.ports, teams);
  });
  afterAll(() => test.remove());

  const run = (code: string) =>
    new Promise<string>((resolve, reject) => {
      const env = { ...process.env, ...test.cloud.environment };
      execFile(python ?? '', ['-c', code], { env }, (error, stdout, stderr) =>
        error === null ? resolve(stdout) : reject(new Error(stderr)),
      );
    });

  it('sends samples and asks, as docs/python.md does it', async () => {
    await run(documented('send_message('));
    const model = await openModel(test.ports, 'teams');
    await until(async () => {
      const answer = await model.predict([], { maxAgeSeconds: 0, atLeast: 1 });
      return answer.ok ? answer : undefined;
    });
    expect(model.state().learnt).toBe(1);
    expect(await run(documented('client("lambda")'))).toMatch(/^\[\{'value': [\d.]+\}\]\n$/);
  });
});
