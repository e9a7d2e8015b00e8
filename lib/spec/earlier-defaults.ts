import { besidePrior } from './declared-defaults.ts';
import {
  defaultsBefore41,
  forgettingLinearExpert,
  isOfSecondOrder,
  isPiecewise,
  isQuadratic,
  linearExpert,
  listExperts,
  periodicExpert,
} from './default-experts.ts';
import { sizesOf } from './expert-sizes.ts';
import { type Expert, isNetwork, isOfNeighbours, isOfTrees } from './experts-schema.ts';
import { canonicalJson } from './identity.ts';
import { defineSpec, type Spec, type SpecInput } from './spec.ts';

/**
 * A declared spec with what an earlier release filled in, wherever the declaration itself only has
 * what today's fills in.
 */
export function withDefaultsOf(existing: Spec, declared: Spec): Spec {
  const { revision: _, ...sameRules } = declared;
  const { revision: earlier } = existing;
  const ruled = earlier === undefined ? sameRules : { ...declared, revision: earlier };
  const features = withStandInsOf(existing, withVectorsOf(existing, ruled));
  const own = withPublicationOf(existing, withExpertsOf(existing, features));
  return existing.cells === undefined ? withDefaultsBeforeCells(existing, own) : own;
}

/** {@link withDefaultsOf}, but for what its author wrote down although it is a default. */
export function withDefaultsUnlessSaid(existing: Spec, declared: Spec, said: SpecInput): Spec {
  const own = withDefaultsOf(existing, declared);
  const features = Object.entries(own.features).map(([name, feature]) => {
    const input = said.features[name] ?? {};
    const isSaid =
      feature.type === 'vector'
        ? 'standardize' in input
        : 'missing' in input || 'indicator' in input;
    return [name, isSaid ? (declared.features[name] ?? feature) : feature] as const;
  });
  const { online, optimizer, label, cells } = declared;
  // (Whose experts are the default is none to list others.)
  const saidOnline = Object.entries(said.online ?? {})
    .filter(([, value]) => value !== 'default')
    .map(([name]) => name);
  return {
    ...own,
    features: Object.fromEntries(features),
    ...(said.optimizer && { optimizer }),
    ...(said.cells && { cells }),
    ...(said.label?.standardize !== undefined && { label }),
    online: {
      ...own.online,
      ...Object.fromEntries(Object.entries(online).filter(([name]) => saidOnline.includes(name))),
    },
  };
}

/** Releases before 0.8.1 left vectors as they are, unless they were told not to. */
function withVectorsOf(existing: Spec, declared: Spec): Spec {
  const features = Object.entries(declared.features).map(([name, feature]) => {
    const before = existing.features[name];
    const isEarlier = before?.type === 'vector' && !before.standardize;
    const wasLeft = isEarlier && feature.type === 'vector';
    return [name, wasLeft ? { ...feature, standardize: false } : feature] as const;
  });
  return { ...declared, features: Object.fromEntries(features) };
}

/** Release 0.25 took 0 for a missing number that is scaled by its spread, and said so. */
function withStandInsOf(existing: Spec, declared: Spec): Spec {
  const { revision = 0 } = existing;
  if (declared.missing === undefined || revision > 10) return declared;
  const features = Object.entries(declared.features).map(([name, feature]) => {
    const isSpread = feature.type === 'number' && typeof feature.standardize === 'string';
    if (!isSpread || feature.missing !== 'mean') return [name, feature] as const;
    const earlier = { ...feature, missing: 0, indicator: true };
    return [name, isSame(existing.features[name], earlier) ? earlier : feature] as const;
  });
  return { ...declared, features: Object.fromEntries(features) };
}

/** Releases before 0.11 wrote every state after each entry, unless they were told not to. */
function withPublicationOf(existing: Spec, declared: Spec): Spec {
  const { publishEvery = existing.online.publishEvery === 1 ? 1 : undefined } = declared.online;
  return publishEvery === undefined
    ? declared
    : { ...declared, online: { ...declared.online, publishEvery } };
}

/** A spec that has today's default experts, with those of earlier releases, the latest first. */
export function withEarlierExperts(declared: Spec): readonly Spec[] {
  const { labelWindow } = declared.online;
  const named = { experts: 'default' } as const;
  if (!isSame(declared.online.experts, listExperts(declared, { ...named, labelWindow }).experts))
    return [];
  const todays = defaultsBefore41(declared, undefined);
  const isOfNoTrees = (expert: Expert) => !isOfTrees(expert);
  const isEarlier = (expert: Expert) => isOfNoTrees(expert) && !isOfNeighbours(expert);
  const aloneOnes = todays.filter(isEarlier);
  const { numbers } = sizesOf(declared);
  const slowLinear = { ...forgettingLinearExpert, rate: 0.1 };
  const slowOnes = aloneOnes.map((expert) =>
    isSame(expert, forgettingLinearExpert) ? slowLinear : expert,
  );
  const linearOnes = slowOnes.filter((expert) => !isQuadratic(expert));
  const fewerOnes = linearOnes.filter(
    (expert) => numbers <= 256 || !isNetwork(expert) || expert.secondOrder !== true,
  );
  const priorOnes = linearOnes.filter((expert) => !isPiecewise(expert));
  const lastOnes = priorOnes.filter((expert) => !isOfSecondOrder(expert));
  const laterOnes = lastOnes.filter((expert) => !isSame(expert, linearExpert));
  const firstOnes = laterOnes.flatMap((expert): Expert[] => {
    if (isSame(expert, periodicExpert)) return [];
    return isSame(expert, slowLinear) ? [{ hidden: [], rate: 0.1, replay: false }] : [expert];
  });
  const withExperts = (experts: Expert[]) => ({
    ...declared,
    online: {
      ...declared.online,
      ...listExperts(declared, { experts, replay: declared.online.replay }),
    },
  });
  // (With a window that is new, or without one that is gone, a model goes on with those it has.)
  const otherWindow = labelWindow === undefined ? {} : undefined;
  const { experts: besideIt = [] } = listExperts(declared, { ...named, labelWindow: otherWindow });
  const others = defaultsBefore41(declared, otherWindow);
  const lists = [
    besideIt,
    defaultsBefore41(declared, labelWindow),
    others,
    todays.filter(isOfNoTrees),
    others.filter(isOfNoTrees),
    aloneOnes,
    others.filter(isEarlier),
    slowOnes,
    linearOnes,
    fewerOnes,
    priorOnes,
    lastOnes,
    laterOnes,
    firstOnes,
  ];
  return lists.map(withExperts);
}

/**
 * Releases before 0.9 left a network without experts alone, whoever tuned it; those before 0.16 had
 * no default expert over Fourier features, and a linear one that neither forgets nor replays; those
 * before 0.26 had none that replays, those before 0.27 none of second order and no stack, those
 * before 0.28 none over pieces of numbers, those before 0.31 none of second order over more than
 * 256 numbers, those before 0.34 none over products of numbers, those before 0.35 a linear one that
 * forgets at a tenth of the rate, those before 0.36 all of them beside a label window, too, those
 * before 0.38 none of neighbours, those before 0.39 none of trees, and those before 0.41 none of
 * second order over long texts, but more networks, or over more than 4,096 rows of categories, or
 * over the products of more than 16 numbers.
 */
function withExpertsOf(existing: Spec, declared: Spec): Spec {
  if (existing.online.experts === undefined) return withoutPrior(declared);
  const earlier = withEarlierExperts(declared).find(({ online }) =>
    isSame(existing.online.experts, online.experts),
  );
  return earlier ?? declared;
}

/** A declared spec whose network stands alone, unless its author listed experts. */
export function withoutPrior(declared: Spec): Spec {
  const { experts, ...online } = declared.online;
  return isSame(experts, besidePrior) ? { ...declared, online } : declared;
}

const isSame = (a: unknown, b: unknown) => canonicalJson(a) === canonicalJson(b);

function withDefaultsBeforeCells(existing: Spec, declared: Spec): Spec {
  const filledIn = defineSpec({
    model: declared.model,
    task: declared.task,
    features: { x: { type: 'number' } },
    ...(declared.label.classes === undefined ? {} : { label: { classes: declared.label.classes } }),
    ...(declared.loss === undefined ? {} : { loss: declared.loss }),
  });
  const { cells, label, ...rest } = declared;
  const { standardize, ...named } = label;
  const isOptimizerOurs = isSame(declared.optimizer, filledIn.optimizer);
  const isMinibatchOurs = declared.online.minibatch === filledIn.online.minibatch;
  return {
    ...rest,
    ...(isSame(cells, filledIn.cells) ? {} : { cells }),
    label: standardize === filledIn.label.standardize ? named : label,
    optimizer: isOptimizerOurs ? existing.optimizer : declared.optimizer,
    online: isMinibatchOurs
      ? { ...declared.online, minibatch: existing.online.minibatch }
      : declared.online,
  };
}
