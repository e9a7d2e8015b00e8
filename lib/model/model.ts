import { storedJson } from '../bucket/json-objects.ts';
import { keys } from '../bucket/keys.ts';
import type { ObjectStore } from '../bucket/object-store.ts';
import type { CompiledModel } from '../engine/engine.ts';
import { isFiniteState } from '../engine/finite.ts';
import { invalid, MillraceError, reasonOf } from '../errors.ts';
import { scalingOf, trainedLayoutOf } from '../features/columns.ts';
import { createEncoder, type Encoder } from '../features/encoder.ts';
import { allocateSamples } from '../features/samples.ts';
import { type Scaling, statisticsWidth } from '../features/statistics.ts';
import { haveVocabularies } from '../features/vocabularies.ts';
import { limits } from '../limits.ts';
import { emptyPrior } from '../metrics/prior.ts';
import { emptyScores } from '../metrics/scores.ts';
import type { Ports } from '../ports/ports.ts';
import { withDefaultsOf } from '../spec/earlier-defaults.ts';
import { specHash } from '../spec/identity.ts';
import { isModelName } from '../spec/names.ts';
import { parseSpec, type Spec } from '../spec/spec.ts';
import { emptyLedger } from '../state/ledger.ts';
import { bytesOf, type Parameters, type State } from '../state/state.ts';
import { type InitialWeights, initialParameters, loadInitialWeights } from './initial-weights.ts';

/** A model that exists: its spec, and what is compiled from it. */
export type Model = {
  readonly name: string;
  /** The spec with today's defaults filled in. */
  readonly spec: Spec;
  /** Its `spec.json` as some release created it. */
  readonly stored: object;
  /** The model's identity: the hash of what is stored. */
  readonly specHash: string;
  readonly compiled: CompiledModel;
  /** Weights, optimizer slots and statistics before anything is learnt. */
  readonly initial: Parameters;
  readonly encoder: Encoder;
  /** How its number columns become what its networks see. */
  readonly scaling: Scaling;
};

/**
 * Loads and compiles a model; undefined if it does not exist.
 *
 * @throws MillraceError kind `corrupt` if its stored spec is not valid
 */
export async function loadModel(
  { store, engine }: Ports,
  name: string,
): Promise<Model | undefined> {
  const declared = await loadSpec(store, name);
  if (declared === undefined) return undefined;
  const { spec, stored } = declared;
  const weights = await loadInitialWeights(store, spec);
  return { name, ...(await compileModel(engine, spec, stored, weights)) };
}

/** {@link loadModel} of one that must exist. @throws MillraceError kind `invalid` if it does not */
export async function existingModel(ports: Ports, name: string): Promise<Model> {
  const model = await loadModel(ports, name);
  if (model === undefined) throw noModel(ports.store, name);
  return model;
}

/** The error that names a model which does not exist. */
export function noModel({ bucket }: Pick<ObjectStore, 'bucket'>, name: string): MillraceError {
  return invalid(`there is no model ${name} in s3://${bucket}; see: millrace ls`);
}

/** {@link loadSpec} of one that must exist. @throws MillraceError kind `invalid` if it does not */
export async function existingSpec(store: ObjectStore, name: string): Promise<StoredSpec> {
  const declared = await loadSpec(store, name);
  if (declared === undefined) throw noModel(store, name);
  return declared;
}

/** What a model declares, without compiling it. @throws as {@link loadModel} */
export async function loadSpec(store: ObjectStore, name: string): Promise<StoredSpec | undefined> {
  if (!isModelName(name)) return undefined;
  const object = await store.get(keys.spec(name));
  return object && readSpec(object.body, name);
}

/** A spec with today's defaults filled in, and as some release stored it. */
export type StoredSpec = { readonly spec: Spec; readonly stored: object };

/**
 * What is compiled from a spec.
 *
 * @param stored the spec as it was stored, whose identity the model has
 * @param weights that it starts from; those of its seed unless given
 * @throws MillraceError kind `invalid` if its network cannot be built
 */
export async function compileModel(
  engine: Ports['engine'],
  spec: Spec,
  stored: object = spec,
  weights?: InitialWeights,
): Promise<Omit<Model, 'name'>> {
  const compiled = await engine.compile(spec);
  const derived = derivedFrom(spec, stored);
  const { encoder } = derived;
  const initial = initialParameters({ compiled, encoder, spec }, weights);
  return { spec, stored, compiled, initial, ...derived };
}

type Derived = Pick<Model, 'specHash' | 'encoder' | 'scaling'>;
const derivations = new WeakMap<object, Derived>();

/** What follows from a stored spec alone: derived once for each that is read. */
function derivedFrom(spec: Spec, stored: object): Derived {
  const known = derivations.get(stored);
  if (known !== undefined) return known;
  const derived = {
    specHash: specHash(stored),
    encoder: createEncoder(spec),
    scaling: scalingOf(spec),
  };
  derivations.set(stored, derived);
  return derived;
}

/** The state before the first journal entry. */
export function initialState({ name, spec, specHash: hash, initial }: Model): State {
  return {
    ...initial,
    model: name,
    sequence: 0,
    specHash: hash,
    ledger: emptyLedger,
    scores: emptyScores(spec),
    ...(spec.revision === undefined ? {} : { prior: emptyPrior(spec) }),
    learnt: 0,
    retractions: [],
  };
}

/** Whether parameters have the tensors and statistics of a model, and finite numbers in them. */
export function fitsModel(
  { initial, encoder }: Model,
  { tensors, statistics, replay, drift }: Parameters,
): boolean {
  const own = Object.entries(initial.tensors);
  const hasShapes = own.every(([name, { shape }]) => isSameShape(tensors[name]?.shape, shape));
  const isComplete = hasShapes && Object.keys(tensors).length === own.length;
  return (
    isComplete &&
    statistics.mean.length === statisticsWidth(encoder.layout) &&
    (statistics.forgetting?.length ?? 0) === (encoder.layout.halfLives?.length ?? 0) &&
    (statistics.targets?.length ?? 0) === (encoder.layout.targets?.length ?? 0) &&
    (statistics.lags?.length ?? 0) === (encoder.layout.lags?.length ?? 0) &&
    haveVocabularies(encoder.layout, statistics.vocabularies) &&
    statistics.classes?.length === encoder.layout.countedClasses &&
    (replay === undefined) === (initial.replay === undefined) &&
    (drift === undefined) === (initial.drift === undefined) &&
    isFiniteState(tensors)
  );
}

function isSameShape(a: readonly number[] | undefined, b: readonly number[]): boolean {
  return a?.length === b.length && b.every((dimension, i) => dimension === a[i]);
}

/** A model that cannot make a step would only show it once its first samples wait. */
async function assertTrains(spec: Spec, compiled: CompiledModel): Promise<void> {
  const { minibatch } = spec.online;
  const sample = { ...allocateSamples(1, trainedLayoutOf(spec)), weights: Float32Array.of(1) };
  const { rate } = spec.optimizer;
  try {
    await compiled.train(compiled.initial(), sample, {
      minibatch,
      rate,
      schedule: { type: 'constant' },
    });
  } catch (cause) {
    throw asInvalid(cause, `spec.network: ${compiled.engine} cannot train it`);
  }
}

/** What tfjs or an engine throws about a network is its author's to know. */
function asInvalid(cause: unknown, what: string): MillraceError {
  if (cause instanceof MillraceError) return cause;
  return invalid(`${what}: ${reasonOf(cause)}; change it, or name the other engine`, cause);
}

/** What a model is created for. */
export type CreateOptions = {
  /** The memory of the functions that train it, where the stack gives them other than usual. */
  readonly memoryMebibytes?: number;
};

function assertFits(
  { network, optimizer }: Spec,
  { engine, initial }: CompiledModel,
  memoryMebibytes: number,
): void {
  // Weights that decay whole are held once more, where an engine has no rows of its own for tables.
  const isDense = optimizer.weightDecay !== undefined && !engine.startsWith('wasm');
  const held = bytesOf(initial().tensors) * (isDense && optimizer.type === 'sgd' ? 2 : 1);
  const bytes = held * limits.memoryPerStateByte;
  const needed = Math.ceil(bytes / 1_048_576) + limits.idleMemoryMebibytes;
  if (needed <= memoryMebibytes) return;
  const what = 'topology' in network ? 'spec.network.topology' : 'spec.network';
  throw new MillraceError(
    'invalid',
    `${what}: training it needs about ${needed} MiB of memory, and the functions have ` +
      `${memoryMebibytes}; make it smaller, or deploy the construct Millrace with memory of ` +
      `at least Size.mebibytes(${needed}) and say so: createModel(ports, spec, { memoryMebibytes })`,
  );
}

/**
 * Creates a model: writes its spec, once. The same spec again changes nothing.
 *
 * @returns whether it is new; false if it was there already, as declared
 * @throws MillraceError kind `invalid` if its network cannot be built, or the model exists with a
 *   different spec
 */
export async function createModel(
  { store, engine }: Pick<Ports, 'store' | 'engine'>,
  spec: Spec,
  { memoryMebibytes = limits.functionMemoryMebibytes }: CreateOptions = {},
): Promise<boolean> {
  const compiled = await engine.compile(spec).catch((cause: unknown) => {
    throw asInvalid(cause, 'spec.network: it cannot be built');
  });
  assertFits(spec, compiled, memoryMebibytes);
  await assertTrains(spec, compiled);
  const weights = await loadInitialWeights(store, spec).catch((cause: unknown) => {
    throw invalid('spec.initialWeights: there is no such file; use importModel()', cause);
  });
  initialParameters({ compiled, encoder: createEncoder(spec), spec }, weights);
  const key = keys.spec(spec.model);
  await assertNoRemains(store, spec.model);
  const outcome = await store.put(key, Buffer.from(`${storedJson(spec, key, 2)}\n`), {
    ifNoneMatch: '*',
  });
  if (outcome.ok) return true;
  const existing = await store.get(key);
  if (existing !== undefined && isSameSpec(readSpec(existing.body, spec.model).spec, spec))
    return false;
  throw new MillraceError(
    'invalid',
    `model ${spec.model} exists with a different spec; choose a different name, or remove it with ` +
      `all that it has learnt: millrace rm ${spec.model}`,
  );
}

/** What a removed model left behind would be taken for the new one's. */
async function assertNoRemains(store: ObjectStore, model: string): Promise<void> {
  if ((await store.get(keys.spec(model))) !== undefined) return;
  if ((await store.list(keys.journal(model))).length === 0) return;
  throw invalid(
    `a model ${model} was removed, and its journal is still there: millrace rm ${model} removes the rest`,
  );
}

/**
 * Whether a model exists as it is declared. What an earlier release filled in, where a declaration
 * of today would fill in something else, is no difference: nobody asked for it.
 */
function isSameSpec(existing: Spec, declared: Spec): boolean {
  return specHash(existing) === specHash(withDefaultsOf(existing, declared));
}

/** Specs that were read lately, by their text: a model's is read again and again, as it was. */
const specsRead = new Map<string, StoredSpec>();

function readSpec(body: Uint8Array, name: string): StoredSpec {
  const text = Buffer.from(body).toString('utf8');
  const known = specsRead.get(text);
  if (known?.spec.model === name) return known;
  try {
    const stored: object = JSON.parse(text);
    const spec = parseSpec(stored);
    if (spec.model !== name) throw new Error(`it declares the model ${spec.model}`);
    const [oldest] = specsRead.keys();
    if (specsRead.size >= limits.cachedModels && oldest !== undefined) specsRead.delete(oldest);
    specsRead.set(text, { spec, stored });
    return { spec, stored };
  } catch (cause) {
    throw new MillraceError('corrupt', `${keys.spec(name)} is not valid: ${cause}`, { cause });
  }
}
