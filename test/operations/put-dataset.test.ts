import { describe, expect, it } from 'vitest';
import { partBytesOf } from '../../lib/operations/put-dataset.ts';

describe('the parts of an upload', () => {
  it.each([
    [0, 8],
    [8 * 1_048_576 * 10_000, 8],
    [8 * 1_048_576 * 10_000 + 1, 16],
    [5 * 1024 ** 4, 528],
  ])('of %i bytes are no more than S3 takes', (sizeBytes, mebibytes) => {
    const partBytes = partBytesOf(sizeBytes);
    expect(partBytes).toBe(mebibytes * 1_048_576);
    expect(Math.ceil(sizeBytes / partBytes)).toBeLessThanOrEqual(10_000);
  });
});
