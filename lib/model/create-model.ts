import { storedJson } from '../bucket/json-objects.ts';
import { keys } from '../bucket/keys.ts';
import type { ObjectStore } from '../bucket/object-store.ts';
import type { CompiledModel } from '../engine/engine.ts';
import { invalid, MillraceError, reasonOf } from '../errors.ts';
import { trainedLayoutOf } from '../features/columns.ts';
import { createEncoder } from '../features/encoder.ts';
import { allocateSamples } from '../features/samples.ts';
import { limits } from '../limits.ts';
import type { Ports } from '../ports/ports.ts';
import { withDefaultsOf } from '../spec/earlier-defaults.ts';
import { specHash } from '../spec/identity.ts';
import type { Spec } from '../spec/spec.ts';
import { bytesOf } from '../state/state.ts';
import { initialParameters, loadInitialWeights } from './initial-weights.ts';
import { allSpecs } from './stored-spec.ts';

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
  // Without slots, gradients are as large as all that is kept; and weights that decay whole are
  // held once more, where an engine has no rows of its own for tables.
  const isPlain = optimizer.type === 'sgd' && !engine.startsWith('wasm');
  const perState = isPlain ? (optimizer.weightDecay === undefined ? 1.5 : 2) : 1;
  const bytes = perState * bytesOf(initial().tensors) * limits.memoryPerStateByte;
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

/** Products a second that a network has on a slow processor of a function, about. */
const productsPerSecond = 2e9;

/** A step that takes longer than an invocation would begin again and again. */
function assertInTime(
  { online: { minibatch, replay }, batch }: Spec,
  { work }: Pick<CompiledModel, 'work'>,
): void {
  const copies = 1 + (replay?.ratio ?? 0);
  const modes = [
    { mode: 'online', minibatch, copies, seconds: limits.onlineTimeoutSeconds },
    {
      mode: 'batch',
      minibatch: batch.minibatch,
      copies: 1,
      seconds: limits.batchTimeoutSeconds,
    },
  ];
  for (const { mode, minibatch: samples, copies: own, seconds } of modes) {
    const most = (seconds * productsPerSecond - work.step) / (work.learnt * own);
    if (samples <= most) continue;
    const remedy =
      most >= 1
        ? `choose at most ${Math.floor(most)}, or a smaller network`
        : 'choose a smaller network';
    const billions = Math.round((work.learnt * own * samples + work.step) / 1e9);
    throw invalid(
      `spec.${mode}.minibatch: a step of ${samples} takes some ${billions} billion products, and an ` +
        `invocation of ${seconds} s has time for ${(seconds * productsPerSecond) / 1e9} billion; ${remedy}`,
    );
  }
}

/**
 * Creates a model: writes its spec, once. The same spec again changes nothing.
 *
 * @returns whether it is new; false if it was there already, as declared now or before a change
 * @throws MillraceError kind `invalid` if its network cannot be built, or the model exists with a
 *   different spec
 */
export async function createModel(
  ports: Pick<Ports, 'store' | 'engine'>,
  spec: Spec,
  options: CreateOptions = {},
): Promise<boolean> {
  return (await declareModel(ports, spec, options)).isNew;
}

/** The same; it answers with the compiled model too. @throws as {@link createModel} */
export async function declareModel(
  { store, engine }: Pick<Ports, 'store' | 'engine'>,
  spec: Spec,
  options: CreateOptions = {},
): Promise<{ readonly isNew: boolean; readonly compiled: CompiledModel }> {
  const compiled = await assertLearnable({ store, engine }, spec, options);
  const key = keys.spec(spec.model);
  await assertNoRemains(store, spec.model);
  const outcome = await store.put(key, Buffer.from(`${storedJson(spec, key, 2)}\n`), {
    ifNoneMatch: '*',
  });
  if (outcome.ok) return { isNew: true, compiled };
  const existing = await allSpecs(store, spec.model);
  if (existing.some((each) => isSameSpec(each.spec, spec))) return { isNew: false, compiled };
  throw new MillraceError(
    'invalid',
    `model ${spec.model} exists with a different spec; choose a different name, change its spec ` +
      `(millrace spec ${spec.model} <file>), or remove it with all that it has learnt: ` +
      `millrace rm ${spec.model}`,
  );
}

/**
 * Checks that a model could be made of a spec, and learn.
 *
 * @returns the compiled model
 * @throws MillraceError kind `invalid` if its network cannot be built or trained, its weights are
 *   missing or others, or it needs more memory or time than the functions have
 */
export async function assertLearnable(
  { store, engine }: Pick<Ports, 'store' | 'engine'>,
  spec: Spec,
  { memoryMebibytes = limits.functionMemoryMebibytes }: CreateOptions = {},
): Promise<CompiledModel> {
  const compiled = await engine.compile(spec).catch((cause: unknown) => {
    throw asInvalid(cause, 'spec.network: it cannot be built');
  });
  assertFits(spec, compiled, memoryMebibytes);
  assertInTime(spec, compiled);
  await assertTrains(spec, compiled);
  const weights = await loadInitialWeights(store, spec).catch((cause: unknown) => {
    throw invalid('spec.initialWeights: there is no such file; use importModel()', cause);
  });
  initialParameters({ compiled, encoder: createEncoder(spec), spec }, weights);
  return compiled;
}

/** What a removed model left behind would be taken for the new one's. */
async function assertNoRemains(store: ObjectStore, model: string): Promise<void> {
  if ((await store.get(keys.spec(model))) !== undefined) return;
  if ((await store.list(keys.journal(model))).length === 0) return;
  throw invalid(
    `a model ${model} was removed, and its journal is still there: npx millrace rm ${model} removes the rest`,
  );
}

/**
 * Whether a model exists as it is declared. What an earlier release filled in, where a declaration
 * of today would fill in something else, is no difference: nobody asked for it.
 */
function isSameSpec(existing: Spec, declared: Spec): boolean {
  const { ignore = existing.ignore } = declared;
  const own = ignore === undefined ? declared : { ...declared, ignore };
  return specHash(existing) === specHash(withDefaultsOf(existing, own));
}
