import { createReadStream } from 'node:fs';
import type { S3Client } from '@aws-sdk/client-s3';
import { Upload } from '@aws-sdk/lib-storage';
import { MillraceError, reasonOf } from '../errors.ts';

/** Puts files of this machine under keys of a bucket, in parts of a size. */
export function fileUploader(client: S3Client, bucket: string, partBytes: number) {
  return async (key: string, path: string, onBytes: (done: number) => void): Promise<void> => {
    const upload = new Upload({
      client,
      partSize: partBytes,
      params: { Bucket: bucket, Key: key, Body: createReadStream(path) },
    });
    upload.on('httpUploadProgress', ({ loaded = 0 }) => onBytes(loaded));
    try {
      await upload.done();
    } catch (cause) {
      throw new MillraceError('unavailable', `writing s3://${bucket}/${key}: ${reasonOf(cause)}`, {
        cause,
      });
    }
  };
}
