import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { GetQueueAttributesCommand, SetQueueAttributesCommand } from '@aws-sdk/client-sqs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { projectDirectory } from '../../infra/local/synthesize.ts';
import { keys } from '../../lib/bucket/keys.ts';
import { decodeCheckpoint } from '../../lib/state/checkpoint-file.ts';
import { startTestCloud, type TestCloud, until } from '../support/test-cloud.ts';

describe('the local cloud', () => {
  let test: TestCloud;
  beforeAll(async () => {
    test = await startTestCloud();
  });
  afterAll(() => test.remove());

  it("runs README's program as it stands, and the model learns what it sent", {}, async () => {
    const readme = readFileSync(join(projectDirectory, 'README.md'), 'utf8');
    const [, program = ''] = /```ts\n(.*?)```/s.exec(readme) ?? [];
    await promisify(execFile)(
      process.execPath,
      ['--input-type=module-typescript', '--eval', program],
      {
        cwd: projectDirectory,
        env: test.cloud.environment,
      },
    );
    const state = await until(async () => {
      const object = await test.ports.store.get(keys.state('demand'));
      return object && decodeCheckpoint(object.body);
    });
    expect(state.learnt).toBe(2);
  });

  it('takes over the queues of an earlier release, whose attributes were others', async () => {
    const { address, sqs } = test.cloud;
    const QueueUrl = address.commandsQueueUrl;
    await sqs.send(
      new SetQueueAttributesCommand({ QueueUrl, Attributes: { VisibilityTimeout: '7' } }),
    );
    test = await test.restart('stop');
    const { Attributes } = await test.cloud.sqs.send(
      new GetQueueAttributesCommand({
        QueueUrl: test.cloud.address.commandsQueueUrl,
        AttributeNames: ['VisibilityTimeout'],
      }),
    );
    expect(Attributes?.VisibilityTimeout).toBe('180');
  });

  it('is refused a second time over the same data', async () => {
    await expect(startTestCloud(test.directory)).rejects.toThrow(/is in use by another Millrace/);
  });
});
