import * as tf from '@tensorflow/tfjs';
import { putUntilAnswered } from '../bucket/conditional-puts.ts';
import { keys } from '../bucket/keys.ts';
import { digestOf } from '../bucket/safetensors.ts';
import type { Tensor, Tensors } from '../engine/engine.ts';
import { named as namedAs } from '../engine/experts/expert-parts.ts';
import { keeperOf } from '../engine/experts/keepers.ts';
import { withoutOldMean } from '../engine/experts/labels.ts';
import { emptyMixture, isMixture } from '../engine/experts/mixture-tensors.ts';
import { partsOf } from '../engine/experts/parts.ts';
import { invalid, MillraceError, reasonIf, reasonOf } from '../errors.ts';
import { mixtureLayer } from '../export/served-network.ts';
import { type CreateOptions, createModel } from '../model/create-model.ts';
import { encodeInitialWeights } from '../model/initial-weights.ts';
import { buildNetwork } from '../network/build-network.ts';
import { fourierLayer, isTrained, piecewiseLayer } from '../network/weight-names.ts';
import { listNames } from '../parse.ts';
import type { Ports } from '../ports/ports.ts';
import { withEarlierExperts, withoutPrior } from '../spec/earlier-defaults.ts';
import type { Expert } from '../spec/experts-schema.ts';
import { canonicalJson } from '../spec/identity.ts';
import { defineSpec, parseSpec, type Spec, type SpecInput } from '../spec/spec.ts';
import { type Answering, assertSameAnswers } from './same-answers.ts';
import { assertSameInputs, assertSameNetwork } from './same-meaning.ts';
import type { Weights } from './weights.ts';

/** A model that was made from a file. */
export type Imported = {
  readonly spec: Spec;
  /** Whether the same model was there before. */
  readonly isThere: boolean;
};

/**
 * Creates a model that starts from the weights of a file instead of its seed. Where the spec names
 * no network, it is the file's. A file that is no safetensors of Millrace's says nothing of how its
 * inputs were scaled: numbers, times and the label are then taken as they are unless the spec says
 * `standardize`.
 *
 * @throws MillraceError kind `invalid` if the network cannot be built, the weights are not just
 *   its own, the spec means something else by them, or the model exists with a different spec
 */
export async function importModel(
  ports: Ports,
  input: SpecInput,
  file: Weights,
  options: CreateOptions = {},
): Promise<Imported> {
  const declared = declaredFor(withFile(input, file), file);
  assertLogits(declared, file);
  if (file.spec !== undefined) assertSameInputs(declared, file.spec);
  const tensors = await fitted(declared, file);
  await assertAnswersAs(input, file, { spec: declared, tensors });
  if (file.spec !== undefined) assertSameNetwork(declared, file.spec);
  const { statistics } = file;
  const body = encodeInitialWeights({ tensors, ...(statistics && { statistics }) });
  const initialWeights = digestOf(body);
  const key = keys.initialWeights(initialWeights);
  const outcome = await putUntilAnswered(ports, key, body, { ifNoneMatch: '*' });
  if (outcome === undefined) throw new MillraceError('unavailable', `${key} could not be written`);
  const spec = parseSpec({ ...declared, initialWeights });
  return { spec, isThere: !(await createModel(ports, spec, options)) };
}

/**
 * Experts answer in probabilities once they are mixed, and a network that goes on learning in what
 * comes before them: it would answer otherwise.
 */
function assertLogits({ task }: Spec, { topology }: Weights): void {
  if (task === 'regression' || !JSON.stringify(topology ?? {}).includes(`"${mixtureLayer}"`))
    return;
  throw invalid(mixedReason);
}

const mixedReason =
  'the file is of several experts that are mixed, which cannot learn on as one network (a spec ' +
  'without online.experts has the mean of the labels beside its network); import what `millrace ' +
  'export --format safetensors` wrote, by a spec with the same network and experts';

function isOfExperts(weights: Weights['weights']): weights is Tensors {
  return !(weights instanceof Map) && isMixture(weights as Tensors);
}

/** A network that somebody trained alone goes on alone. */
function declaredFor(input: SpecInput, { weights, spec }: Weights): Spec {
  const declared = defineSpec(input);
  if (isOfExperts(weights)) {
    // The default experts are those of the release that wrote the file.
    const theirs = (spec as Partial<Spec> | undefined)?.online?.experts;
    const earlier = withEarlierExperts(declared);
    const own =
      theirs === undefined
        ? Object.keys(weights).every(isTrained) && earlier.at(-1)
        : earlier.find(({ online }) => canonicalJson(theirs) === canonicalJson(online.experts));
    return own || declared;
  }
  return input.online?.experts === undefined ? withoutPrior(declared) : declared;
}

/** Kinds of features that are standardised unless a spec says otherwise. */
const standardized: ReadonlySet<string> = new Set(['number', 'vector', 'timestamp']);

/** The spec with what the file says of the network. */
function withFile(input: SpecInput, { topology, statistics }: Weights): SpecInput {
  const network =
    input.network === undefined && topology !== undefined ? { network: { topology } } : {};
  if (statistics !== undefined) return { ...input, ...network };
  const features = Object.entries(input.features ?? {}).map(([name, feature]) => [
    name,
    standardized.has(feature.type) ? { standardize: false, ...feature } : feature,
  ]);
  return {
    ...input,
    ...network,
    features: Object.fromEntries(features),
    label: input.task === 'regression' ? { standardize: false, ...input.label } : input.label,
  };
}

/** A spec that has a network of its own answers as the file's would, where that can be built. */
async function assertAnswersAs(
  { network, ...input }: SpecInput,
  file: Weights,
  own: Answering,
): Promise<void> {
  const { experts } = own.spec.online;
  if (network === undefined || file.topology === undefined || experts !== undefined) return;
  const theirs = async () => {
    const spec = declaredFor(withFile(input as SpecInput, file), file);
    return { spec, tensors: await fitted(spec, file) };
  };
  const built = await theirs().catch(reasonIf('invalid'));
  if (typeof built === 'string')
    throw invalid(`spec.network: it cannot be held against the layers of the file: ${built}`);
  await assertSameAnswers(own, built);
}

/** The weights of the file under the names that the model's state has for them. */
async function fitted(spec: Spec, { weights, statistics }: Weights): Promise<Tensors> {
  await tf.setBackend('cpu');
  const { experts } = spec.online;
  if (experts !== undefined) {
    if (!isOfExperts(weights) || statistics === undefined)
      throw invalid(
        'spec.online.experts: these weights are of one network; leave experts out of the spec, or ' +
          'name safetensors that `millrace export` wrote of a model with the same experts',
      );
    return fittedExperts(spec, experts, weights as Tensors);
  }
  return withNetwork(spec, (layersModel) => {
    const names = namesIn(layersModel);
    const named = weights instanceof Map ? byName(layersModel, weights) : weights;
    const fitting = fittedNames(names, named as Tensors);
    if (!('topology' in spec.network)) assertSameFixed(layersModel, fitting);
    return fitting;
  });
}

/** The same, of all experts of a spec. */
async function fittedExperts(spec: Spec, experts: readonly Expert[], weights: Tensors) {
  // (Of files of earlier releases, what they did not know begins anew.)
  const empty: Record<string, Tensor> = { ...emptyMixture(spec, experts) };
  const names = Object.keys(empty);
  for (const { name, expert, labels, spec: own } of partsOf(spec, experts)) {
    const keeper = keeperOf(spec, { expert, labels });
    if (keeper !== undefined) {
      const kept = namedAs(name, keeper.initial().tensors);
      for (const [each, tensor] of Object.entries(kept))
        if (each.startsWith('weights/')) {
          names.push(each);
          empty[each] = tensor;
        }
    }
    if (own === undefined) continue;
    const inside = await withNetwork(own, (layersModel) => {
      assertSameFixed(layersModel, weights, name);
      return namesIn(layersModel);
    });
    names.push(...inside.map((each) => each.replace('/', `/${name}/`)));
  }
  return fittedNames(names, { ...empty, ...withoutOldMean(spec, weights) });
}

/**
 * What is derived from numbers is as a spec says, wherever its other weights come from.
 *
 * @throws MillraceError kind `invalid` if a file has others of those weights
 */
function assertSameFixed(layersModel: tf.LayersModel, file: Tensors, expert?: string): void {
  for (const weight of layersModel.weights) {
    const own = `weights/${weight.originalName}`;
    const theirs = file[expert === undefined ? own : own.replace('/', `/${expert}/`)]?.data;
    if (isTrained(own) || theirs === undefined) continue;
    const fixed = weight.read().dataSync();
    if (fixed.length === theirs.length && theirs.every((each, i) => each === fixed[i])) continue;
    const [what, said] = fixedText(own);
    throw invalid(
      `spec: the file has ${what}${expert === undefined ? '' : ` in ${expert}`}; ` +
        `its seed, the order of its features and what its ${said} must be those by which the ` +
        'weights were learnt',
    );
  }
}

/** What a weight that stays is of, and what says it. */
function fixedText(name: string): readonly [what: string, said: string] {
  if (name.startsWith(`weights/${fourierLayer}/`))
    return ['other random Fourier features', 'fourier says (units, bandwidth, of)'];
  return name.startsWith(`weights/${piecewiseLayer}/`)
    ? ['another piecewise linear encoding', 'piecewiseLinear says (bins, of)']
    : ['products of other numbers', 'quadratic says (of)'];
}

function namesIn({ weights }: tf.LayersModel): readonly string[] {
  return weights.map(({ originalName }) => `weights/${originalName}`);
}

function fittedNames(names: readonly string[], named: Tensors): Tensors {
  const missing = names.filter((name) => named[name] === undefined);
  const own = new Set(names);
  // (A state has slots of its optimizer, too; a new model begins with its own.)
  const others = Object.keys(named).filter((name) => name.startsWith('weights/') && !own.has(name));
  if (missing.length > 0 && Object.keys(named).some((name) => name.includes(mixtureLayer)))
    throw invalid(mixedReason);
  if (missing.length > 0) {
    throw invalid(
      `the file has no weights for ${listNames(missing)}; it has ` +
        `${listNames(Object.keys(named)) || 'none'}: leave network out of the spec to take that of a ` +
        'tfjs or Keras file, or declare one whose layers have these names',
    );
  }
  // Without them it would answer otherwise than where it was trained.
  if (others.length > 0) {
    throw invalid(
      `the network of the spec has no place for ${listNames(others)} of the file; leave network ` +
        "out to take the file's, or import what `millrace export --format safetensors` wrote",
    );
  }
  return Object.fromEntries(names.map((name) => [name, named[name] as Tensor]));
}

async function withNetwork<Result>(
  spec: Spec,
  use: (layersModel: tf.LayersModel) => Result,
): Promise<Result> {
  const { layersModel } = await buildNetwork(spec).catch((cause: unknown) => {
    if (cause instanceof MillraceError) throw cause;
    throw invalid(`the network of the file cannot be built: ${reasonOf(cause)}`, cause);
  });
  try {
    return use(layersModel);
  } finally {
    layersModel.dispose();
  }
}

/** Weights that a file has by layer, trainable ones first, by their names. */
function byName(
  { layers }: tf.LayersModel,
  weights: ReadonlyMap<string, readonly Tensor[]>,
): Tensors {
  const named = [...weights].flatMap(([name, tensors]) => {
    const layer = layers.find((each) => each.name === name);
    const own = [...(layer?.trainableWeights ?? []), ...(layer?.nonTrainableWeights ?? [])];
    return tensors.map((tensor, i) => {
      const weight = own[i]?.originalName ?? `${name}/${i}`;
      return [`weights/${weight}`, tensor] as const;
    });
  });
  return Object.fromEntries(named);
}
