import { createHash, randomBytes } from 'node:crypto';
import {
  appendFileSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { AbortMultipartUploadCommand, S3Client } from '@aws-sdk/client-s3';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { fileUploader } from '../../lib/ports/upload.ts';
import { startTestCloud, type TestCloud } from '../support/test-cloud.ts';

let test: TestCloud;
let folder = '';
beforeAll(async () => {
  test = await startTestCloud();
  folder = mkdtempSync(join(tmpdir(), 'millrace-upload-'));
});
afterAll(async () => {
  rmSync(folder, { recursive: true });
  await test.remove();
});

const partBytes = 5 * 1_048_576;
const records = () => join(folder, 'records');

/** A client that counts what it sends, and whose parts fail from the one after `parts` on. */
function countingClient(parts = Number.POSITIVE_INFINITY) {
  const sent: string[] = [];
  const uploads: string[] = [];
  const { environment, endpoint } = test.cloud;
  const client = new S3Client({
    region: environment.AWS_REGION ?? '',
    endpoint,
    maxAttempts: 1,
    credentials: { accessKeyId: 'local', secretAccessKey: 'local' },
  });
  client.middlewareStack.add(
    (next, { commandName = '' }) =>
      async (args) => {
        const isPart = commandName === 'UploadPartCommand';
        if (isPart && sent.filter((each) => each === commandName).length >= parts)
          throw new Error('the line is down');
        sent.push(commandName);
        if (isPart) uploads.push((args.input as { UploadId: string }).UploadId);
        return next(args);
      },
    { step: 'initialize' },
  );
  const countOf = (name: string) => sent.filter((each) => each === `${name}Command`).length;
  return { client, countOf, uploads };
}

describe('a file that is put in parts', () => {
  let [path, key, number] = ['', '', 0];
  let body = Buffer.alloc(0);
  /** How much later it is. */
  let later = 0;
  beforeEach(() => {
    number += 1;
    later = 0;
    [path, key] = [join(folder, `${number}.csv`), `datasets/parts/${number}.csv`];
    body = randomBytes(4 * partBytes + 3);
    writeFileSync(path, body);
  });

  const put = async (parts?: number, done: number[] = []) => {
    const { client, countOf, uploads } = countingClient(parts);
    const upload = fileUploader(client, test.cloud.address.bucket, {
      folder: records(),
      now: () => Date.now() + later,
    });
    const ended = await upload(key, { path, partBytes }, (bytes) => void done.push(bytes)).then(
      () => 'whole',
      (error: Error) => error.message,
    );
    return {
      ended,
      parts: countOf('UploadPart'),
      begun: countOf('CreateMultipartUpload'),
      uploads,
    };
  };
  const stored = async () => {
    const object = await test.ports.store.get(key);
    return createHash('md5')
      .update(object?.body ?? '')
      .digest('hex');
  };
  const digest = () => createHash('md5').update(body).digest('hex');

  it('is there whole, and nothing is kept of it here', async () => {
    const done: number[] = [];
    expect(await put(undefined, done)).toMatchObject({ ended: 'whole', parts: 5, begun: 1 });
    expect(done.at(-1)).toBe(body.length);
    expect(await stored()).toBe(digest());
    expect(readdirSync(records())).toEqual([]);
  });

  it('goes on after it broke off with the parts that are missing', async () => {
    const first = await put(3);
    expect(first.ended).toMatch(/the line is down; the same command goes on from there/);
    const done: number[] = [];
    expect(await put(undefined, done)).toMatchObject({ ended: 'whole', parts: 2, begun: 0 });
    expect(done.at(-1)).toBe(body.length);
    expect(await stored()).toBe(digest());
  });

  it('uploads again a part that was changed meanwhile, whatever the time of the file says', async () => {
    const time = new Date('2026-01-01');
    utimesSync(path, time, time);
    expect((await put(4)).ended).toMatch('the line is down');
    body[0] = (body[0] ?? 0) ^ 1;
    writeFileSync(path, body);
    utimesSync(path, time, time);
    expect(await put()).toMatchObject({ ended: 'whole', parts: 2, begun: 0 });
    expect(await stored()).toBe(digest());
  });

  it('begins anew with a file that is another', async () => {
    expect((await put(2)).ended).toMatch('the line is down');
    body = randomBytes(2 * partBytes + 7);
    writeFileSync(path, body);
    expect(await put()).toMatchObject({ ended: 'whole', parts: 3, begun: 1 });
    expect(await stored()).toBe(digest());
  });

  it('begins anew where S3 dropped the parts', async () => {
    const { uploads } = await put(2);
    const { client } = countingClient();
    const place = { Bucket: test.cloud.address.bucket, Key: key };
    await client.send(new AbortMultipartUploadCommand({ ...place, UploadId: uploads[0] }));
    expect(await put()).toMatchObject({ ended: 'whole', begun: 1 });
    expect(await stored()).toBe(digest());
  });

  it('takes a record that is damaged for what can be read of it', async () => {
    await put(2);
    const [name = ''] = readdirSync(records());
    appendFileSync(join(records(), name), '{"part":3,"et');
    expect(await put()).toMatchObject({ ended: 'whole', begun: 0, parts: 3 });
    expect(await stored()).toBe(digest());
  });

  it('forgets after a week, when S3 drops the parts', async () => {
    await put(2);
    later = 8 * 86_400_000;
    expect(await put()).toMatchObject({ ended: 'whole', begun: 1, parts: 5 });
    expect(readdirSync(records())).toEqual([]);
  });

  it('is one request where it is small', async () => {
    body = Buffer.from('x,label\n1,2\n');
    writeFileSync(path, body);
    expect(await put()).toMatchObject({ ended: 'whole', begun: 0, parts: 0 });
    expect(await stored()).toBe(digest());
  });
});
