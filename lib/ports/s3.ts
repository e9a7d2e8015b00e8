import {
  DeleteObjectCommand,
  GetObjectCommand,
  type GetObjectCommandInput,
  ListObjectsV2Command,
  NoSuchKey,
  type S3Client,
  S3ServiceException,
} from '@aws-sdk/client-s3';
import { Upload } from '@aws-sdk/lib-storage';
import type {
  ListedObject,
  ObjectPart,
  ObjectStore,
  PutCondition,
  PutOutcome,
} from '../bucket/object-store.ts';
import { invalid, MillraceError } from '../errors.ts';
import { refuse } from '../refusal.ts';

/**
 * The bucket through the AWS SDK. Bodies above 8 MiB go up in parts; a condition holds for the
 * whole object.
 */
export function s3ObjectStore(client: S3Client, bucket: string): ObjectStore {
  const read = async (key: string, headers: Partial<GetObjectCommandInput> = {}) => {
    const request = { Bucket: bucket, Key: key, ...headers };
    const response = await client.send(new GetObjectCommand(request));
    const body = await response.Body?.transformToByteArray();
    return { body: body ?? new Uint8Array(), etag: response.ETag ?? '' };
  };
  async function* pagesOf(prefix: string, Delimiter?: string) {
    let ContinuationToken: string | undefined;
    do {
      const request = { Bucket: bucket, Prefix: prefix, ContinuationToken, Delimiter };
      const page = await client.send(new ListObjectsV2Command(request)).catch((error: unknown) => {
        throw unavailable(`listing s3://${bucket}/${prefix}`, error);
      });
      yield page;
      ContinuationToken = page.IsTruncated ? page.NextContinuationToken : undefined;
    } while (ContinuationToken !== undefined);
  }
  return {
    bucket,

    async get(key, part) {
      try {
        return await read(key, partHeaders(part));
      } catch (error) {
        if (error instanceof NoSuchKey || isChanged(error, part)) return undefined;
        throw unavailable(`reading s3://${bucket}/${key}`, error);
      }
    },

    async getChanged(key, etag) {
      try {
        return await read(key, { IfNoneMatch: etag });
      } catch (error) {
        if (error instanceof NoSuchKey) return undefined;
        // The SDK makes an error of it, without a name of its own.
        if (error instanceof S3ServiceException && error.$metadata.httpStatusCode === 304)
          return 'unchanged';
        throw unavailable(`reading s3://${bucket}/${key}`, error);
      }
    },

    async put(key, body, condition) {
      try {
        const upload = new Upload({
          client,
          partSize: 8 * 1_048_576,
          params: { Bucket: bucket, Key: key, Body: body, ...conditionHeaders(condition) },
        });
        const response = await upload.done();
        return { ok: true, etag: response.ETag ?? '' };
      } catch (error) {
        const outcome = condition === undefined ? undefined : refusal(error);
        if (outcome !== undefined) return outcome;
        throw unavailable(`writing s3://${bucket}/${key}`, error);
      }
    },

    async list(prefix) {
      const objects: ListedObject[] = [];
      for await (const { Contents = [] } of pagesOf(prefix)) {
        for (const { Key = '', ETag = '', Size = 0 } of Contents)
          objects.push({ key: Key, etag: ETag, sizeBytes: Size });
      }
      return objects;
    },

    async folders(prefix) {
      const names: string[] = [];
      for await (const { CommonPrefixes = [] } of pagesOf(prefix, '/')) {
        for (const { Prefix = '' } of CommonPrefixes) names.push(Prefix.slice(prefix.length, -1));
      }
      return names;
    },
  };
}

const notYours = 'it takes s3:DeleteObject, which no role of the stack and no operator has';

/**
 * Deletes objects: apart from the {@link ObjectStore}, because nothing that learns may.
 *
 * @throws MillraceError kind `invalid` if S3 refuses it
 */
export function s3Remover(client: S3Client, bucket: string): (key: string) => Promise<void> {
  return async (key) => {
    const request = new DeleteObjectCommand({ Bucket: bucket, Key: key });
    await client.send(request).catch((error: unknown) => {
      const what = `deleting s3://${bucket}/${key}`;
      const isRefused = error instanceof S3ServiceException && error.name === 'AccessDenied';
      throw isRefused
        ? invalid(`${what} is refused: ${notYours}`, error)
        : unavailable(what, error);
    });
  };
}

function partHeaders(part: ObjectPart | undefined) {
  return part && { Range: `bytes=${part.start}-${part.end - 1}`, IfMatch: part.etag };
}

/** Another object is there. It may be so short that the part begins behind its end. */
function isChanged(error: unknown, part: ObjectPart | undefined): boolean {
  if (part === undefined || !(error instanceof S3ServiceException)) return false;
  return error.name === 'PreconditionFailed' || error.name === 'InvalidRange';
}

function conditionHeaders(condition: PutCondition | undefined) {
  if (condition === undefined) return {};
  return 'ifMatch' in condition
    ? { IfMatch: condition.ifMatch }
    : { IfNoneMatch: condition.ifNoneMatch };
}

/**
 * By name, not by status: a PreconditionFailed of CompleteMultipartUpload can arrive as HTTP 200.
 */
function refusal(error: unknown): PutOutcome | undefined {
  if (!(error instanceof S3ServiceException)) return undefined;
  if (error.name === 'PreconditionFailed' || error.name === 'NoSuchKey')
    return refuse('precondition', error.name);
  return error.name === 'ConditionalRequestConflict' ? refuse('conflict', error.name) : undefined;
}

function unavailable(what: string, cause: unknown): MillraceError {
  const reason = cause instanceof Error ? `${cause.name}: ${cause.message}` : String(cause);
  return new MillraceError('unavailable', `${what} failed: ${reason}`, { cause });
}
