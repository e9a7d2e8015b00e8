import type { S3 } from '../s3.ts';
import { bodyOf, type Case, etagOf, none, outcome } from './case.ts';

const part = (letter: string) => Buffer.alloc(5 * 1_048_576, letter);
/** Uploads parts and completes them. */
async function upload(
  s3: S3,
  key: string,
  bodies: readonly Uint8Array[],
  conditions?: Parameters<S3['put']>[2],
) {
  const id = await s3.createUpload(key);
  const parts: { part: number; etag: string }[] = [];
  for (const [i, body] of bodies.entries()) {
    parts.push({ part: i + 1, etag: etagOf(await s3.uploadPart(key, id, i + 1, body)) });
  }
  return { id, parts, complete: () => s3.completeUpload(key, id, parts, conditions) };
}

/** Uploads in parts. */
export const uploads: readonly Case[] = [
  {
    name: 'an upload in parts is one object, its ETag that of its parts',
    async run(s3, key) {
      const { complete } = await upload(s3, key, [part('a'), Buffer.from('end')]);
      const answer = await complete();
      const body = await bodyOf(s3, key);
      return [outcome(answer), body.length, body.slice(-4), /-2"$/.test(etagOf(answer))];
    },
    expected: ['ok', 5 * 1_048_576 + 3, 'aend', true],
  },
  {
    name: 'an upload that is not completed is not there',
    async run(s3, key) {
      const { id } = await upload(s3, key, [part('a')]);
      const seen = [await bodyOf(s3, key), await s3.list(key)];
      await s3.abortUpload(key, id);
      return seen;
    },
    expected: ['NoSuchKey', []],
  },
  {
    name: 'an upload that was given up cannot be completed',
    async run(s3, key) {
      const { id, complete } = await upload(s3, key, [part('a')]);
      return [outcome(await s3.abortUpload(key, id)), outcome(await complete())];
    },
    expected: ['ok', 'NoSuchUpload'],
  },
  {
    name: 'an upload whose part has another ETag is refused',
    async run(s3, key) {
      const { id, parts } = await upload(s3, key, [part('a')]);
      const wrong = parts.map(({ part: number }) => ({
        part: number,
        etag: '"5d41402abc4b2a76b9719d911017c592"',
      }));
      const answer = outcome(await s3.completeUpload(key, id, wrong));
      await s3.abortUpload(key, id);
      return answer;
    },
    expected: 'InvalidPart',
  },
  {
    name: 'an upload with If-None-Match creates',
    run: async (s3, key) => outcome(await (await upload(s3, key, [part('a')], none)).complete()),
    expected: 'ok',
  },
  {
    name: 'an upload with If-None-Match loses where somebody wrote meanwhile',
    async run(s3, key) {
      const { id, complete } = await upload(s3, key, [part('a')], none);
      await s3.put(key, 'faster');
      const answer = outcome(await complete());
      await s3.abortUpload(key, id);
      return [answer, await bodyOf(s3, key)];
    },
    expected: ['PreconditionFailed', 'faster'],
  },
  {
    name: 'an upload with If-Match replaces what was read',
    async run(s3, key) {
      const ifMatch = etagOf(await s3.put(key, 'one'));
      return outcome(await (await upload(s3, key, [part('a')], { ifMatch })).complete());
    },
    expected: 'ok',
  },
  {
    name: 'an upload with If-Match loses where another wrote',
    async run(s3, key) {
      const ifMatch = etagOf(await s3.put(key, 'one'));
      const { id, complete } = await upload(s3, key, [part('a')], { ifMatch });
      await s3.put(key, 'two');
      const answer = outcome(await complete());
      await s3.abortUpload(key, id);
      return [answer, await bodyOf(s3, key)];
    },
    expected: ['PreconditionFailed', 'two'],
  },
  {
    name: 'an upload whose first part is sent again has the second one',
    async run(s3, key) {
      const id = await s3.createUpload(key);
      await s3.uploadPart(key, id, 1, part('a'));
      const etag = etagOf(await s3.uploadPart(key, id, 1, part('b')));
      await s3.completeUpload(key, id, [{ part: 1, etag }]);
      return (await bodyOf(s3, key)).slice(0, 2);
    },
    expected: 'bb',
  },
];
