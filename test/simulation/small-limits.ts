import { limits, type ProtocolLimits } from '../../lib/limits.ts';

/** Bounds that are small enough to be met by a schedule of some messages. */
export const smallLimits: ProtocolLimits = {
  ...limits,
  producers: 4,
  producerIdleEntries: 3,
  gapsPerProducer: 2,
  keptCheckpointEntries: 4,
  putAttempts: 2,
  commitAttempts: 2,
};
