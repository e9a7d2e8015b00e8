import { isRecord } from '../parse.ts';
import type { Expert } from './experts-schema.ts';

/**
 * What a declaration fills in: it learns a stream within some hundred samples, in messages of any
 * size. (What a stored spec leaves out is filled in by the schema, as it was when it was stored.)
 */
const optimizer = { type: 'adagrad' as const, rate: 0.1 };
const minibatch = 4;

/** A declaration with them; what is no declaration stays as it is, to be refused. */
export function withDeclaredDefaults(input: unknown): unknown {
  if (!isRecord(input)) return input;
  const { online = {}, features, network } = input;
  const isTopology = isRecord(network) && 'topology' in network;
  const isTuned = input.optimizer !== undefined || input.initialWeights !== undefined || isTopology;
  return {
    ...input,
    optimizer: input.optimizer ?? optimizer,
    ...(isRecord(features) && !isTopology ? { features: withScaledVectors(features) } : {}),
    online: isRecord(online) ? withOnlineDefaults(online, isTuned) : online,
  };
}

/**
 * A network that nobody tuned stands beside the mean of the labels, or their shares: where it knows
 * less than they, they answer.
 */
export const besidePrior: readonly Expert[] = [{ replay: false }, { predicts: 'prior' }];

function withOnlineDefaults(online: Readonly<Record<string, unknown>>, isTuned: boolean) {
  const isOwn = isTuned || 'rate' in online || 'replay' in online || 'schedule' in online;
  const experts = online.experts ?? (isOwn ? undefined : besidePrior);
  return {
    ...online,
    minibatch: online.minibatch ?? minibatch,
    ...(experts === undefined ? {} : { experts }),
  };
}

/** Vectors that say nothing of it are standardised: hidden layers learn nothing of 0 to 1,000. */
function withScaledVectors(features: Readonly<Record<string, unknown>>) {
  return Object.fromEntries(
    Object.entries(features).map(([name, feature]) => [
      name,
      isRecord(feature) && feature.type === 'vector'
        ? { ...feature, standardize: feature.standardize ?? true }
        : feature,
    ]),
  );
}
