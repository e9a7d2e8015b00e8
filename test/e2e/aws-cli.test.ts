import { execFile, spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { shellFile } from '../../infra/local/shell-file.ts';
import { createModel } from '../../lib/model/create-model.ts';
import { openModel } from '../../lib/serving/open-model.ts';
import { defineSpec } from '../../lib/spec/spec.ts';
import { startTestCloud, type TestCloud, until } from '../support/test-cloud.ts';
import { textOf } from '../support/tutorial.ts';

/** The AWS CLIs of this machine, each as it says who it is. */
const clis = spawnSync('which', ['-a', 'aws'], { encoding: 'utf8' })
  .stdout.split('\n')
  .filter((path) => path !== '')
  .flatMap((path) => {
    const { status, stdout } = spawnSync(path, ['--version'], { encoding: 'utf8' });
    return status === 0 ? [{ path, version: stdout.split(' ')[0] ?? '' }] : [];
  });
const distinct = clis.filter(
  ({ version }, i) => clis.findIndex((each) => each.version === version) === i,
);

/** The commands of README that call `aws`, as they stand there. */
function documented(): readonly string[] {
  const blocks = textOf('README.md').match(/(?:^ {4}.*\n)+/gm) ?? [];
  return blocks.filter((block) => /^ {4}aws /m.test(block));
}

const demand = defineSpec({
  model: 'demand',
  task: 'regression',
  features: {
    hour: { type: 'number' },
    shop: { type: 'category', buckets: 1_000, dimensions: 8 },
    weather: { type: 'category', values: ['sun', 'rain', 'snow'], dimensions: 2 },
  },
  label: { name: 'sold' },
});

describe.skipIf(distinct.length === 0).each(distinct)("README's lines for $version", (cli) => {
  let test: TestCloud;
  beforeAll(async () => {
    test = await startTestCloud();
    await createModel(test.ports, demand);
    writeFileSync(join(test.directory, 'local.sh'), shellFile(test.cloud.environment));
  });
  afterAll(() => test.remove());

  const shell = (script: string) =>
    new Promise<string>((resolve, reject) => {
      // Where the CLI of this version is the one that is found.
      const env = { PATH: `${dirname(cli.path)}:${process.env.PATH}`, HOME: test.directory };
      const options = { cwd: test.directory, env };
      execFile('bash', ['-ec', `. ./local.sh\n${script}`], options, (error, stdout, stderr) =>
        error === null ? resolve(stdout) : reject(new Error(`${script}\n${stderr}`)),
      );
    });

  it('read a queue, and are told what is wrong', async () => {
    const queue = '--queue-url "$MILLRACE_SAMPLES_QUEUE_URL"';
    const attributes = await shell(`aws sqs get-queue-attributes ${queue} --attribute-names All`);
    expect(JSON.parse(attributes).Attributes.FifoQueue).toBe('true');
    const send = `aws sqs send-message-batch ${queue} --entries`;
    const entries = ['a', 'b'].map((Id) => ({
      Id,
      MessageBody: '{"samples": "<&>"}',
      MessageGroupId: 'nobody',
      MessageDeduplicationId: Id,
    }));
    const sent = JSON.parse(await shell(`${send} '${JSON.stringify(entries)}'`));
    expect(sent.Successful.map(({ Id }: { Id: string }) => Id)).toEqual(['a', 'b']);
    await expect(shell('aws sqs get-queue-url --queue-name nowhere.fifo')).rejects.toThrow(
      /NonExistentQueue|QueueDoesNotExist/,
    );
    expect(await shell('aws s3 ls "s3://$MILLRACE_BUCKET/models/"')).toContain('demand/');
    expect(
      JSON.parse(await shell('aws logs filter-log-events --log-group-name predict')).events,
    ).toEqual([]);
    const machine = '--state-machine-arn "$MILLRACE_SWEEP_MACHINE"';
    const start = `aws stepfunctions start-execution ${machine} --name one --input '{"items": []}'`;
    expect(JSON.parse(await shell(start)).executionArn).toContain('one');
  });

  it('teach, ask and start a job', async () => {
    const commands = documented();
    expect(commands.length).toBeGreaterThanOrEqual(3);
    for (const command of commands) await shell(command);
    const answer = JSON.parse(readFileSync(join(test.directory, 'answer.json'), 'utf8'));
    expect(answer).toMatchObject({ ok: true, model: 'demand' });
    const model = await openModel(test.ports, 'demand');
    await until(async () => {
      const { sequence } = await model
        .predict([], { maxAgeSeconds: 0 })
        .then((each) => (each.ok ? each : { sequence: 0 }));
      return sequence >= 1 ? true : undefined;
    });
  });
});
