import { describe, expect, it } from 'vitest';
import { limits } from '../../lib/limits.ts';
import { pauseSeconds } from '../../lib/ports/redelivery.ts';

function secondsOfPauses(receives: number, longest: number): number {
  const pauses = Array.from({ length: receives - 1 }, (_, i) => pauseSeconds(i + 1, longest));
  return pauses.reduce((sum, pause) => sum + pause, 0);
}

/** Relations between bounds that must hold. */
const relations: readonly { readonly name: string; readonly holds: boolean }[] = [
  {
    name: 'what a batch slice holds at once fits into a function',
    holds:
      // A row group, a chunk of it as samples, its shard as it is joined, cut and encoded.
      // (Training holds less: a shard, its standardised numbers, and the next shard.)
      limits.rowGroupBytes + 8 * limits.shardBytes <
      (limits.functionMemoryMebibytes - limits.idleMemoryMebibytes) * 1_048_576,
  },
  {
    name: 'what an online invocation holds at once fits into a function',
    holds:
      // A sample object as bytes, text and samples; its numbers, in blocks and joined; blocks of
      // these, scaled for experts.
      limits.cachedModelBytes +
        6 * limits.sampleObjectBytes +
        2 * limits.encodedBytes +
        4 * limits.blockBytes <
      (limits.functionMemoryMebibytes - limits.idleMemoryMebibytes) * 1_048_576,
  },
  {
    name: 'an online invocation has time to publish',
    holds:
      limits.messageSeconds * 2 + limits.publishReserveSeconds * 2 < limits.onlineTimeoutSeconds,
  },
  {
    name: 'AWS allows at most 900 seconds for a function',
    holds: limits.batchTimeoutSeconds <= 900,
  },
  {
    name: 'no message dies while S3 is away for an hour',
    holds:
      secondsOfPauses(limits.maximumReceives, limits.longestPauseSeconds) > 3_600 &&
      secondsOfPauses(limits.maximumJobReceives, limits.longestJobPauseSeconds) > 3_600,
  },
  {
    name: 'SQS allows at most 1,000 deliveries before a dead letter',
    holds: Math.max(limits.maximumReceives, limits.maximumJobReceives) <= 1_000,
  },
  {
    name: 'AWS allows at most 43,200 seconds of visibility',
    holds: limits.batchTimeoutSeconds * limits.visibilityPerTimeout <= 43_200,
  },
];

describe('the limits', () => {
  it.each(relations)('keep their relations: $name', ({ holds }) => {
    expect(holds).toBe(true);
  });

  it('are positive numbers', () => {
    expect(Object.values(limits).every((limit) => limit > 0)).toBe(true);
  });
});
