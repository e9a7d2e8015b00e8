import { gunzipSync } from 'node:zlib';
import type { ObjectStore } from '../bucket/object-store.ts';
import { invalid } from '../errors.ts';
import { limits } from '../limits.ts';

/**
 * The samples of an `s3://` message: JSON Lines, plain or gzip, one sample a line, below `datasets/` of the
 * stack's own bucket.
 *
 * @throws MillraceError kind `invalid` if it is another bucket, missing, too large or no JSON Lines
 */
export async function readSampleObject(store: ObjectStore, uri: string): Promise<readonly unknown[]> {
  const prefix = `s3://${store.bucket}/`;
  if (!uri.startsWith(`${prefix}datasets/`)) {
    throw invalid(`samples: must be below ${prefix}datasets/ (found ${uri})`);
  }
  const object = await store.get(uri.slice(prefix.length));
  if (object === undefined) throw invalid(`samples: there is no object ${uri}`);
  const text = unpack(object.body, uri);
  const lines = text.split('\n').filter((line) => line.trim() !== '');
  if (lines.length === 0) throw invalid(`samples: ${uri} holds no sample`);
  if (lines.length > limits.messageSamples) {
    throw invalid(`samples: at most ${limits.messageSamples} samples a message (found ${lines.length})`);
  }
  return lines.map((line, index) => {
    try {
      return JSON.parse(line);
    } catch (cause) {
      throw invalid(`samples: line ${index + 1} of ${uri} must be JSON`, cause);
    }
  });
}

function unpack(body: Uint8Array, uri: string): string {
  const isGzip = body[0] === 0x1f && body[1] === 0x8b;
  try {
    const bytes = isGzip
      ? gunzipSync(body, { maxOutputLength: limits.sampleObjectBytes })
      : Buffer.from(body);
    if (bytes.length > limits.sampleObjectBytes) throw new Error(`it has ${bytes.length} bytes`);
    return bytes.toString('utf8');
  } catch (cause) {
    throw invalid(
      `samples: ${uri} must be at most ${limits.sampleObjectBytes} bytes when unpacked: ${cause}`,
      cause,
    );
  }
}
