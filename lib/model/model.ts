import type { CompiledModel } from '../engine/engine.ts';
import { isFiniteState } from '../engine/finite.ts';
import { specChanged } from '../errors.ts';
import { areClassesOf } from '../features/classes.ts';
import { scalingOf } from '../features/columns.ts';
import { createEncoder, type Encoder } from '../features/encoder.ts';
import type { Scaling } from '../features/scaling.ts';
import { areSpreadsOf } from '../features/spread.ts';
import { statisticsWidth } from '../features/statistics.ts';
import { haveVocabularies } from '../features/vocabularies.ts';
import { nothingEarned } from '../metrics/earnings.ts';
import type { Ports } from '../ports/ports.ts';
import { specHash } from '../spec/identity.ts';
import type { Spec } from '../spec/spec.ts';
import { emptyLedger } from '../state/ledger.ts';
import type { Parameters, State } from '../state/state.ts';
import { type InitialWeights, initialParameters, loadInitialWeights } from './initial-weights.ts';
import { loadFirstSpec, loadLaterSpec, noModel, type StoredSpec } from './stored-spec.ts';

/** A model that exists: one of its specs, and what is compiled from it. */
export type Model = {
  readonly name: string;
  /** The spec with today's defaults filled in. */
  readonly spec: Spec;
  /** The same as some release stored it. */
  readonly stored: object;
  /** The identity of the spec: the hash of what is stored. */
  readonly specHash: string;
  readonly compiled: CompiledModel;
  /** Weights, optimizer slots and statistics before anything is learnt. */
  readonly initial: Parameters;
  readonly encoder: Encoder;
  /** How its number columns become what its networks see. */
  readonly scaling: Scaling;
  /** The model with the spec that it was created with; absent if that is this one. */
  readonly first?: Model;
};

/** What loading a model needs. */
export type ModelPorts = Pick<Ports, 'store' | 'engine'>;

/**
 * Loads and compiles a model as it was created; undefined if it does not exist. The spec that it
 * has now is that of its state: {@link modelOfState}.
 *
 * @throws MillraceError kind `corrupt` if its stored spec is not valid
 */
export async function loadModel(ports: ModelPorts, name: string): Promise<Model | undefined> {
  const declared = await loadFirstSpec(ports.store, name);
  return declared && { name, ...(await compileStored(ports, declared)) };
}

async function compileStored({ store, engine }: ModelPorts, { spec, stored }: StoredSpec) {
  return compileModel(engine, spec, stored, await loadInitialWeights(store, spec));
}

/** The specs that a model got later, compiled. */
const laterModels = new WeakMap<Model, Map<string, Model>>();

/** A model with the spec of a hash; undefined if it never had it. @throws as {@link loadModel} */
export async function modelOf(
  ports: ModelPorts,
  model: Model,
  hash: string,
): Promise<Model | undefined> {
  const { name, first = model } = model;
  const known = [model, first].find((each) => each.specHash === hash);
  const own = laterModels.get(first) ?? new Map<string, Model>();
  const compiled = known ?? own.get(hash);
  if (compiled !== undefined) return compiled;
  const declared = await loadLaterSpec(ports.store, name, hash);
  if (declared === undefined) return undefined;
  const later = { name, ...(await compileStored(ports, declared)), first };
  laterModels.set(first, own.set(hash, later));
  return later;
}

/**
 * The model with the spec of a state.
 *
 * @throws MillraceError kind `corrupt` if it never had that one: somebody changed what is stored
 */
export async function modelOfState(
  ports: ModelPorts,
  model: Model,
  { specHash: hash, sequence }: Pick<State, 'specHash' | 'sequence'>,
): Promise<Model> {
  const own = await modelOf(ports, model, hash);
  if (own === undefined) throw specChanged(`the state of entry ${sequence} has a different spec`);
  return own;
}

/** {@link loadModel} of one that must exist. @throws MillraceError kind `invalid` if it does not */
export async function existingModel(ports: Ports, name: string): Promise<Model> {
  const model = await loadModel(ports, name);
  if (model === undefined) throw noModel(ports.store, name);
  return model;
}

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
export function initialState(model: Model): State {
  const { name, spec, specHash: hash, initial } = model.first ?? model;
  return {
    ...initial,
    model: name,
    sequence: 0,
    specHash: hash,
    ledger: emptyLedger,
    ...nothingEarned(spec),
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
    areSpreadsOf(encoder.layout.spreads, statistics.spreads) &&
    areClassesOf(encoder.layout, statistics.classNames) &&
    (replay === undefined) === (initial.replay === undefined) &&
    (drift === undefined) === (initial.drift === undefined) &&
    isFiniteState(tensors)
  );
}

function isSameShape(a: readonly number[] | undefined, b: readonly number[]): boolean {
  return a?.length === b.length && b.every((dimension, i) => dimension === a[i]);
}
