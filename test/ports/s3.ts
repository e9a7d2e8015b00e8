import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  DeleteObjectCommand,
  GetObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  type S3Client,
  S3ServiceException,
  UploadPartCommand,
} from '@aws-sdk/client-s3';
import type { Bucket, Conditions } from '../support/bucket.ts';

/** What S3 refuses, by the name of its error. */
export type Refused = { readonly error: string };
/**
 * The operations of S3 that Millrace uses, and some around them, over a bucket of any kind. Bodies
 * are texts.
 */
export type S3 = {
  readonly get: (
    key: string,
    range?: readonly [number, number],
  ) => Promise<{ body: string; etag: string } | Refused>;
  readonly put: (
    key: string,
    body: string | Uint8Array,
    conditions?: Conditions,
  ) => Promise<{ etag: string } | Refused>;
  readonly remove: (key: string) => Promise<void>;
  readonly list: (prefix: string, after?: string, most?: number) => Promise<readonly string[]>;
  readonly createUpload: (key: string) => Promise<string>;
  readonly uploadPart: (
    key: string,
    upload: string,
    part: number,
    body: Uint8Array,
  ) => Promise<{ etag: string } | Refused>;
  readonly completeUpload: (
    key: string,
    upload: string,
    parts: readonly { part: number; etag: string }[],
    conditions?: Conditions,
  ) => Promise<{ etag: string } | Refused>;
  readonly abortUpload: (key: string, upload: string) => Promise<undefined | Refused>;
};

/** The simulator's bucket. */
export function simulatedS3(bucket: Bucket): S3 {
  return {
    async get(key, range) {
      const answer = bucket.get(key, range);
      return 'error' in answer
        ? answer
        : { body: Buffer.from(answer.body).toString(), etag: answer.etag };
    },
    put: async (key, body, conditions) => bucket.put(key, Buffer.from(body), conditions),
    remove: async (key) => bucket.remove(key),
    list: async (prefix, after, most) => bucket.list(prefix, after, most).map(([key]) => key),
    createUpload: async (key) => bucket.createUpload(key),
    uploadPart: async (_key, upload, part, body) => bucket.uploadPart(upload, part, body),
    completeUpload: async (_key, upload, parts, conditions) =>
      bucket.completeUpload(upload, parts, conditions),
    abortUpload: async (_key, upload) => bucket.abortUpload(upload),
  };
}

function refused(error: unknown): Refused {
  if (error instanceof S3ServiceException) return { error: error.name };
  throw error;
}

function written({ ETag = '' }: { ETag?: string | undefined }) {
  return { etag: ETag };
}

function headers({ ifMatch, ifNoneMatch }: Conditions = {}) {
  return {
    ...(ifMatch === undefined ? {} : { IfMatch: ifMatch }),
    ...(ifNoneMatch === undefined ? {} : { IfNoneMatch: ifNoneMatch }),
  };
}

/** A bucket behind the AWS SDK; all keys get a prefix, so that one bucket serves many runs. */
export function remoteS3(client: S3Client, bucket: string, prefix: string): S3 {
  const at = (key: string) => ({ Bucket: bucket, Key: `${prefix}${key}` });
  return {
    get: (key, range) =>
      client
        .send(
          new GetObjectCommand({
            ...at(key),
            ...(range === undefined ? {} : { Range: `bytes=${range[0]}-${range[1]}` }),
          }),
        )
        .then(async ({ Body, ETag = '' }) => ({
          body: (await Body?.transformToString()) ?? '',
          etag: ETag,
        }))
        .catch(refused),
    put: (key, body, conditions) =>
      client
        .send(new PutObjectCommand({ ...at(key), Body: body, ...headers(conditions) }))
        .then(written)
        .catch(refused),
    async remove(key) {
      await client.send(new DeleteObjectCommand(at(key)));
    },
    async list(keyPrefix, after, most) {
      const { Contents = [] } = await client.send(
        new ListObjectsV2Command({
          Bucket: bucket,
          Prefix: `${prefix}${keyPrefix}`,
          ...(after === undefined ? {} : { StartAfter: `${prefix}${after}` }),
          ...(most === undefined ? {} : { MaxKeys: most }),
        }),
      );
      return Contents.map(({ Key = '' }) => Key.slice(prefix.length));
    },
    ...remoteUploads(client, at),
  };
}

type Uploads = Pick<S3, 'createUpload' | 'uploadPart' | 'completeUpload' | 'abortUpload'>;

function remoteUploads(
  client: S3Client,
  at: (key: string) => { readonly Bucket: string; readonly Key: string },
): Uploads {
  return {
    async createUpload(key) {
      const { UploadId = '' } = await client.send(new CreateMultipartUploadCommand(at(key)));
      return UploadId;
    },
    uploadPart: (key, upload, part, body) =>
      client
        .send(new UploadPartCommand({ ...at(key), UploadId: upload, PartNumber: part, Body: body }))
        .then(written)
        .catch(refused),
    completeUpload: (key, upload, parts, conditions) =>
      client
        .send(
          new CompleteMultipartUploadCommand({
            ...at(key),
            UploadId: upload,
            MultipartUpload: {
              Parts: parts.map(({ part, etag }) => ({ PartNumber: part, ETag: etag })),
            },
            ...headers(conditions),
          }),
        )
        .then(written)
        .catch(refused),
    abortUpload: (key, upload) =>
      client
        .send(new AbortMultipartUploadCommand({ ...at(key), UploadId: upload }))
        .then(() => undefined)
        .catch(refused),
  };
}
