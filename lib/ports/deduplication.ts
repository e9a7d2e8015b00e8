import { hash } from 'node:crypto';

/** SQS takes ids of at most this many letters, digits and marks. */
const allowed = /^[A-Za-z0-9!"#$%&'()*+,\-./:;<=>?@[\\\]^_`{|}~]{1,128}$/;

/**
 * A deduplication id of a message. It names the model, so that two models never share one, whatever
 * their producers and jobs are called; a queue may deduplicate over all of its groups.
 */
export function deduplicationId(model: string, ...parts: readonly (string | number)[]): string {
  const id = [model, ...parts].join(':');
  return allowed.test(id) ? id : hash('sha256', id);
}
