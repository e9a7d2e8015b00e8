import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { S3Client } from '@aws-sdk/client-s3';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { commitEntry } from '../../lib/journal/commit.ts';
import { limits } from '../../lib/limits.ts';
import { s3ObjectStore } from '../../lib/ports/s3.ts';
import { createBucket } from '../support/bucket.ts';
import { startTestCloud, type TestCloud } from '../support/test-cloud.ts';
import { remoteS3, simulatedS3 } from './s3.ts';
import { cases } from './s3-contract.ts';

let test: TestCloud;
beforeAll(async () => {
  test = await startTestCloud();
});
afterAll(() => test.remove());

const clientOf = ({ environment, endpoint }: TestCloud['cloud']) =>
  new S3Client({
    region: environment.AWS_REGION ?? '',
    endpoint,
    credentials: { accessKeyId: 'local', secretAccessKey: 'local' },
  });

it('has forty cases, each with a name of its own', () => {
  expect(new Set(cases.map(({ name }) => name)).size).toBe(cases.length);
  expect(cases.length).toBeGreaterThanOrEqual(40);
});

describe.each(['simulated', 'local'])('the %s S3', (kind) => {
  it.each(cases.map((each, index) => ({ ...each, index })))(
    '$name',
    async ({ run, expected, index }) => {
      const s3 =
        kind === 'simulated'
          ? simulatedS3(createBucket())
          : remoteS3(clientOf(test.cloud), test.cloud.address.bucket, 'contract/');
      expect(await run(s3, `case-${index}`)).toEqual(expected);
    },
  );
});

describe('a read whose body ends early', () => {
  it('is an answer that did not come, and never a shorter object', async () => {
    const server = createServer((_request, response) => {
      response.writeHead(200, { 'content-length': '100', etag: '"x"' });
      response.write('half');
      setImmediate(() => response.destroy());
    });
    await once(server.listen(0, '127.0.0.1'), 'listening');
    const { port } = server.address() as AddressInfo;
    const client = new S3Client({
      region: 'us-east-1',
      endpoint: `http://127.0.0.1:${port}`,
      forcePathStyle: true,
      credentials: { accessKeyId: 'local', secretAccessKey: 'local' },
      maxAttempts: 1,
    });
    await expect(s3ObjectStore(client, 'bucket').get('key')).rejects.toMatchObject({
      kind: 'unavailable',
    });
    server.close();
  });
});

describe('a put whose answer is lost', () => {
  it('is sent again by the SDK, meets its own success, and is known by its nonce', async () => {
    const client = clientOf(test.cloud);
    let attempts = 0;
    // Behind the SDK's retries: the first request arrives, its answer does not.
    client.middlewareStack.add(
      (next) => async (request) => {
        const answer = await next(request);
        attempts += 1;
        if (attempts > 1) return answer;
        throw Object.assign(new Error('socket hang up'), {
          name: 'TimeoutError',
          code: 'ECONNRESET',
        });
      },
      { step: 'deserialize', priority: 'high' },
    );
    const store = s3ObjectStore(client, test.cloud.address.bucket);
    const pause = async () => undefined;
    const header = {
      kind: 'samples' as const,
      sequence: 1,
      model: 'contract',
      spec: '',
      engine: '',
      nonce: 'mine',
      time: '',
      messages: [],
    };
    expect(await commitEntry({ store, limits, pause }, { header, samples: [] })).toMatchObject({
      ok: true,
    });
    expect(attempts).toBe(2);
    expect(
      await commitEntry(
        { store, limits, pause },
        { header: { ...header, nonce: 'yours' }, samples: [] },
      ),
    ).toMatchObject({ ok: false, code: 'lost' });
  });
});
