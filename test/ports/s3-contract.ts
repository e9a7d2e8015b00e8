import type { Case } from './s3-cases/case.ts';
import { conditionalPuts, puts } from './s3-cases/puts.ts';
import { listings, ranges } from './s3-cases/reads.ts';
import { uploads } from './s3-cases/uploads.ts';

/**
 * What Millrace relies on, and what is around it: the same on the simulator's S3, the local
 * cloud's, and a real one.
 */
export const cases: readonly Case[] = [
  ...puts,
  ...conditionalPuts,
  ...ranges,
  ...listings,
  ...uploads,
];
