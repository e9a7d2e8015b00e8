import { hash } from 'node:crypto';
import { type FileHandle, open, readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import {
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  PutObjectCommand,
  type S3Client,
  UploadPartCommand,
} from '@aws-sdk/client-s3';
import { invalid, MillraceError, reasonOf } from '../errors.ts';
import type { Upload } from './ports.ts';
import {
  openRecord,
  type UploadedPart,
  type UploadRecord,
  type UploadRecords,
} from './upload-record.ts';

/** Parts that are on their way at once. */
const partsAtOnce = 4;

/**
 * Puts files of this machine under keys of a bucket. Large ones go in parts; an upload that broke
 * off goes on with those that are missing, if the file is the same.
 *
 * @param records where is kept which parts are there
 */
export function fileUploader(client: S3Client, bucket: string, records: UploadRecords): Upload {
  return async (key, { path, partBytes }, onBytes) => {
    const file = await open(path);
    try {
      const { size, mtimeMs } = await file.stat();
      if (size <= partBytes) {
        const Body = await readFile(file);
        await client.send(new PutObjectCommand({ Bucket: bucket, Key: key, Body }));
        onBytes(size);
        return;
      }
      const place = { Bucket: bucket, Key: key };
      const identity = [bucket, key, resolve(path), size, mtimeMs, partBytes];
      const parts = { client, place, file, path, size, partBytes, onBytes };
      const record = await openRecord(records, identity);
      await uploadParts(parts, record).catch(async (error: unknown) => {
        if (!isGone(error)) throw error;
        // Its parts were dropped: it begins anew.
        await record.remove();
        await uploadParts(parts, await openRecord(records, identity));
      });
    } catch (cause) {
      if (cause instanceof MillraceError) throw cause;
      throw new MillraceError(
        'unavailable',
        `writing s3://${bucket}/${key}: ${reasonOf(cause)}; the same command goes on from there`,
        { cause },
      );
    } finally {
      await file.close();
    }
  };
}

/** S3 has no such upload, or has lost a part of it. */
function isGone(error: unknown): boolean {
  return error instanceof Error && ['NoSuchUpload', 'InvalidPart'].includes(error.name);
}

type Parts = {
  readonly client: S3Client;
  readonly place: { readonly Bucket: string; readonly Key: string };
  readonly file: FileHandle;
  readonly path: string;
  readonly size: number;
  readonly partBytes: number;
  readonly onBytes: (done: number) => void;
};

async function uploadParts(parts: Parts, record: UploadRecord): Promise<void> {
  const { client, place, size, partBytes } = parts;
  const upload = record.upload ?? (await beginUpload(parts, record));
  const count = Math.ceil(size / partBytes);
  const uploaded: UploadedPart[] = [];
  let [next, done, isStopped] = [1, 0, false];
  const work = async () => {
    while (next <= count && !isStopped) {
      const part = next++;
      const body = await readPart(parts, part);
      const known = record.parts.get(part);
      const md5 = hash('md5', body);
      if (known?.md5 === md5) uploaded.push(known);
      else uploaded.push(await uploadPart(parts, record, { upload, part, body, md5 }));
      done += body.length;
      parts.onBytes(done);
    }
  };
  const workers = Array.from({ length: partsAtOnce }, () =>
    work().catch((error: unknown) => {
      isStopped = true;
      throw error;
    }),
  );
  const failed = (await Promise.allSettled(workers)).find(({ status }) => status === 'rejected');
  if (failed?.status === 'rejected') throw failed.reason;
  const Parts = uploaded
    .toSorted((a, b) => a.part - b.part)
    .map(({ part, etag, crc32 }) => ({
      PartNumber: part,
      ETag: etag,
      ...(crc32 === undefined ? {} : { ChecksumCRC32: crc32 }),
    }));
  const whole = { ...place, UploadId: upload, MultipartUpload: { Parts } };
  await client.send(new CompleteMultipartUploadCommand(whole));
  await record.remove();
}

async function beginUpload({ client, place }: Parts, record: UploadRecord): Promise<string> {
  const command = new CreateMultipartUploadCommand({ ...place, ChecksumAlgorithm: 'CRC32' });
  const { UploadId = '' } = await client.send(command);
  await record.begin(UploadId);
  return UploadId;
}

async function uploadPart(
  { client, place }: Parts,
  record: UploadRecord,
  given: { readonly upload: string; readonly part: number; body: Buffer; readonly md5: string },
): Promise<UploadedPart> {
  const { ETag = '', ChecksumCRC32 } = await client.send(
    new UploadPartCommand({
      ...place,
      UploadId: given.upload,
      PartNumber: given.part,
      Body: given.body,
      ChecksumAlgorithm: 'CRC32',
    }),
  );
  const { part, md5 } = given;
  const made: UploadedPart = {
    part,
    etag: ETag,
    md5,
    ...(ChecksumCRC32 && { crc32: ChecksumCRC32 }),
  };
  await record.add(made);
  return made;
}

async function readPart({ file, path, size, partBytes }: Parts, part: number): Promise<Buffer> {
  const start = (part - 1) * partBytes;
  const body = Buffer.alloc(Math.min(partBytes, size - start));
  let filled = 0;
  while (filled < body.length) {
    const { bytesRead } = await file.read(body, filled, body.length - filled, start + filled);
    if (bytesRead === 0) throw invalid(`${path} became shorter while it was read; put it again`);
    filled += bytesRead;
  }
  return body;
}
