import { isDeepStrictEqual } from 'node:util';
import { S3Client } from '@aws-sdk/client-s3';
import { readArguments, stopFor } from '../../lib/cli/arguments.ts';
import { remoteS3 } from './s3.ts';
import { cases } from './s3-contract.ts';

/**
 * `npm run contract -- --bucket <name>`: whether a bucket keeps what Millrace relies on. It cleans
 * up behind itself.
 */
const { values } = readArguments('npm run contract -- --bucket <name>', {
  options: { bucket: { type: 'string' } },
});
const bucket =
  values.bucket ?? stopFor('--bucket: name a bucket in which test objects may be written');
const s3 = remoteS3(new S3Client({}), bucket, `millrace-contract-${Date.now()}/`);
let failures = 0;
for (const [index, { name, run, expected }] of cases.entries()) {
  const seen = await run(s3, `case-${index}`).catch((error: unknown) => String(error));
  const isKept = isDeepStrictEqual(seen, expected);
  if (!isKept) failures += 1;
  console.log(
    `${isKept ? 'ok  ' : 'FAIL'} ${name}${isKept ? '' : `: ${JSON.stringify(seen)}, not ${JSON.stringify(expected)}`}`,
  );
}
for (let keys = await s3.list(''); keys.length > 0; keys = await s3.list('')) {
  for (const key of keys) await s3.remove(key);
}
console.log(`${cases.length - failures} of ${cases.length} kept`);
process.exitCode = failures === 0 ? 0 : 1;
