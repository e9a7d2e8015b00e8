import { connect } from 'node:net';
import { networkInterfaces } from 'node:os';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { itIsAnObjectStore } from '../ports/object-store.contract.ts';
import { startTestCloud, type TestCloud } from '../support/test-cloud.ts';

describe('the S3 of the local cloud, over HTTP through the AWS SDK', () => {
  let test: TestCloud;
  beforeAll(async () => {
    test = await startTestCloud();
  });
  afterAll(() => test.remove());

  itIsAnObjectStore(() => test.ports.store);

  it('keeps objects over a restart', async () => {
    await test.ports.store.put('kept', Buffer.from('kept'));
    test = await test.restart('stop');
    expect(Buffer.from((await test.ports.store.get('kept'))?.body ?? []).toString()).toBe('kept');
  });

  it('listens on loopback alone', async () => {
    const port = Number(new URL(test.cloud.endpoint).port);
    const outside = Object.values(networkInterfaces())
      .flat()
      .find((address) => address?.family === 'IPv4' && !address.internal);
    const answer = (host: string) =>
      new Promise<string>((resolve) => {
        const socket = connect(port, host, () => {
          socket.destroy();
          resolve('open');
        }).on('error', () => resolve('refused'));
      });
    expect(await answer('127.0.0.1')).toBe('open');
    expect(await answer(outside?.address ?? '127.0.0.2')).toBe('refused');
  });
});
