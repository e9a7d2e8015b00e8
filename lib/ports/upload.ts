import { createReadStream } from 'node:fs';
import type { S3Client } from '@aws-sdk/client-s3';
import { Upload as PartsUpload } from '@aws-sdk/lib-storage';
import { MillraceError, reasonOf } from '../errors.ts';
import type { Upload } from './ports.ts';

/** Puts files of this machine under keys of a bucket. */
export function fileUploader(client: S3Client, bucket: string): Upload {
  return async (key, { path, partBytes }, onBytes) => {
    const upload = new PartsUpload({
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
