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
  const { online = {}, features, network, missing } = input;
  const isTopology = isRecord(network) && 'topology' in network;
  const isTuned = input.optimizer !== undefined || input.initialWeights !== undefined || isTopology;
  return {
    ...input,
    optimizer: input.optimizer ?? optimizer,
    ...(isRecord(features) && { features: withFeatureDefaults(features, { isTopology, missing }) }),
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

/** What stands for a missing value of a kind of feature that says nothing of it. */
const standIns: Readonly<Record<string, Readonly<Record<string, unknown>>>> = {
  number: { missing: 'mean', indicator: false },
  vector: { missing: 'mean', indicator: false },
  image: { missing: 0 },
  category: { missing: 'missing' },
  timestamp: { missing: 'mean', indicator: false },
};

function standInOf({ type, standardize }: Readonly<Record<string, unknown>>) {
  // (What is not scaled by its mean knows none.)
  const isSpread = type === 'number' && typeof standardize === 'string';
  if (isSpread) return { missing: 0, indicator: true };
  return typeof type === 'string' && Object.hasOwn(standIns, type) ? standIns[type] : {};
}

/**
 * Vectors that say nothing of it are standardised: hidden layers learn nothing of 0 to 1,000. (What
 * a topology sees is its own.)
 */
function withFeatureDefaults(
  features: Readonly<Record<string, unknown>>,
  { isTopology, missing }: { readonly isTopology: boolean; readonly missing: unknown },
) {
  return Object.fromEntries(
    Object.entries(features).map(([name, feature]) => {
      if (!isRecord(feature)) return [name, feature];
      const isScaled = feature.type === 'vector' && !isTopology;
      const isSilent = missing === 'learnt' && feature.missing === undefined;
      return [
        name,
        {
          ...feature,
          ...(isScaled && { standardize: feature.standardize ?? true }),
          ...(isSilent && standInOf(feature)),
        },
      ];
    }),
  );
}
