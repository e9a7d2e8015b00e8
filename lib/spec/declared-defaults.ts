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
  const { cells = {}, online = {}, features, network } = input;
  const isTopology = isRecord(network) && 'topology' in network;
  const isTuned = input.optimizer !== undefined || input.initialWeights !== undefined || isTopology;
  return {
    ...input,
    cells,
    optimizer: input.optimizer === undefined ? optimizer : input.optimizer,
    ...(isRecord(features) && {
      features: withFeatureDefaults(features, isTopology, standInsOf(input)),
    }),
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
  const usual = isOwn ? undefined : besidePrior;
  const experts = online.experts === undefined ? usual : online.experts;
  return {
    ...online,
    minibatch: online.minibatch === undefined ? minibatch : online.minibatch,
    ...(experts === undefined ? {} : { experts }),
  };
}

/** By the kind of a feature that says nothing of it, what stands for a missing value. */
type StandIns = Readonly<Record<string, Readonly<Record<string, unknown>>>>;

/** Those of a declaration; none, unless samples may lack features. */
function standInsOf({ missing, cells }: Readonly<Record<string, unknown>>): StandIns {
  if (missing !== 'learnt') return {};
  const words = isRecord(cells) && Array.isArray(cells.missing) ? cells.missing : [];
  const areMissing = new Set(words.map((word) => String(word).trim().toLowerCase()));
  let value = 'missing';
  // (It must be a value itself.)
  for (let i = 2; areMissing.has(value); i++) value = `missing ${i}`;
  const mean = { missing: 'mean', indicator: false };
  return {
    number: mean,
    vector: mean,
    timestamp: mean,
    image: { missing: 0 },
    category: { missing: value },
  };
}

function standInOf(standIns: StandIns, feature: Readonly<Record<string, unknown>>) {
  const { type, missing } = feature;
  if (missing !== undefined || typeof type !== 'string') return {};
  return Object.hasOwn(standIns, type) ? standIns[type] : {};
}

/**
 * Vectors that say nothing of it are standardised: hidden layers learn nothing of 0 to 1,000. (What
 * a topology sees is its own.)
 */
function withFeatureDefaults(
  features: Readonly<Record<string, unknown>>,
  isTopology: boolean,
  standIns: StandIns,
) {
  return Object.fromEntries(
    Object.entries(features).map(([name, feature]) => {
      if (!isRecord(feature)) return [name, feature];
      const isScaled = feature.type === 'vector' && !isTopology;
      return [
        name,
        {
          type: feature.type,
          ...standInOf(standIns, feature),
          ...feature,
          ...(isScaled && feature.standardize === undefined && { standardize: true }),
        },
      ];
    }),
  );
}
