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

  it('has the pieces of a large object, before it is held and after', async () => {
    const { store } = test.ports;
    const body = Buffer.alloc(70 * 1_048_576);
    for (let i = 0; i < body.length; i += 4) body.writeUInt32LE(i, i);
    await store.put('large', body);
    const [{ etag = '' } = {}] = await store.list('large');
    const places = [0, 5, 1_048_573, 40_000_001, body.length - 9];
    const expectPieces = async (pieceBytes: number) => {
      for (const start of places) {
        const end = Math.min(start + pieceBytes, body.length);
        const piece = await store.get('large', { start, end, etag });
        expect(Buffer.from(piece?.body ?? []).equals(body.subarray(start, end))).toBe(true);
      }
    };
    await expectPieces(4);
    await expectPieces(3_000_000);
    await expectPieces(4);
    expect(Buffer.from((await store.get('large'))?.body ?? []).equals(body)).toBe(true);
    await store.put('large', Buffer.alloc(body.length));
    expect(await store.get('large', { start: 0, end: 4, etag })).toBeUndefined();
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
