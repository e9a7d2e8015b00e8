import { randomUUID } from 'node:crypto';
import { createEngine } from '../../lib/engine/create-engine.ts';
import { graphCache } from '../../lib/ports/graph-cache.ts';
import type { Ports } from '../../lib/ports/ports.ts';
import { s3ObjectStore } from '../../lib/ports/s3.ts';
import { sqsSender } from '../../lib/ports/sqs.ts';
import type { LocalCloud } from './cloud.ts';

/** The ports over a local cloud, for programs that send to it and read from it. */
export function localPorts({ s3, sqs, address }: LocalCloud): Ports {
  const store = s3ObjectStore(s3, address.bucket);
  const log = { info: () => undefined, warn: console.error, error: console.error };
  return {
    store,
    sendSamples: sqsSender(sqs, address.samplesQueueUrl),
    sendJob: sqsSender(sqs, address.jobsQueueUrl),
    now: Date.now,
    nonce: randomUUID,
    engine: createEngine({ threads: 1, cache: graphCache(store, log), warn: log.warn }),
    log,
  };
}
