import type { Refused, S3 } from '../s3.ts';

/** One promise of S3: what is done, and what must be seen. */
export type Case = {
  readonly name: string;
  /** @param key of the case's own; others begin with it */
  readonly run: (s3: S3, key: string) => Promise<unknown>;
  readonly expected: unknown;
};

/** The condition that creates. */
export const none = { ifNoneMatch: '*' } as const;
/** An answer without what differs from run to run. */
export const outcome = (answer: object | undefined) =>
  answer === undefined ? 'ok' : 'error' in answer ? (answer as Refused).error : 'ok';
/** The body of an object, or the error of reading it. */
export const bodyOf = async (s3: S3, key: string) => {
  const answer = await s3.get(key);
  return 'error' in answer ? answer.error : answer.body;
};
/** The ETag of an answer, or its error. */
export const etagOf = (answer: { etag: string } | Refused) =>
  'error' in answer ? answer.error : answer.etag;
