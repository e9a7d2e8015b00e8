import { hashOfLaterSpec, keys } from '../bucket/keys.ts';
import type { ObjectStore } from '../bucket/object-store.ts';
import { invalid, MillraceError, reasonIf, reasonOf } from '../errors.ts';
import { limits } from '../limits.ts';
import { isSpecHash, specHash } from '../spec/identity.ts';
import { isModelName } from '../spec/names.ts';
import { parseSpec, type Spec } from '../spec/spec.ts';

/** The error that names a model which does not exist. */
export function noModel({ bucket }: Pick<ObjectStore, 'bucket'>, name: string): MillraceError {
  return invalid(`there is no model ${name} in s3://${bucket}; see: npx millrace ls`);
}

/** A spec with today's defaults filled in, and as some release stored it. */
export type StoredSpec = { readonly spec: Spec; readonly stored: object };

/**
 * The spec that a model was created with, without compiling it; undefined if there is no such
 * model.
 *
 * @throws MillraceError kind `corrupt` if what is stored is not valid
 */
export async function loadFirstSpec(
  store: ObjectStore,
  name: string,
): Promise<StoredSpec | undefined> {
  if (!isModelName(name)) return undefined;
  const key = keys.spec(name);
  const object = await store.get(key);
  return object && readSpec(object.body, name, key);
}

/**
 * The spec of a hash that a model got later; undefined if it has none.
 *
 * @throws MillraceError kind `corrupt` if what is stored is not valid, or another spec
 */
export async function loadLaterSpec(
  store: ObjectStore,
  name: string,
  hash: string,
): Promise<StoredSpec | undefined> {
  if (!isSpecHash(hash)) return undefined;
  const key = keys.laterSpec(name, hash);
  const object = await store.get(key);
  if (object === undefined) return undefined;
  const read = readSpec(object.body, name, key);
  if (specHash(read.stored) === hash) return read;
  throw new MillraceError('corrupt', `${key} holds another spec than its name says`);
}

/** The spec of a hash that a model has, or has had; undefined if it never had that one. */
export async function loadSpecOf(
  store: ObjectStore,
  name: string,
  hash: string,
): Promise<StoredSpec | undefined> {
  const first = await loadFirstSpec(store, name);
  const isFirst = first !== undefined && specHash(first.stored) === hash;
  return isFirst ? first : loadLaterSpec(store, name, hash);
}

/** All specs that a model has, or has had, as far as they can be read. */
export async function allSpecs(store: ObjectStore, name: string): Promise<readonly StoredSpec[]> {
  const first = await loadFirstSpec(store, name);
  if (first === undefined) return [];
  const later: StoredSpec[] = [];
  for (const { key } of await store.list(keys.laterSpecs(name))) {
    const hash = hashOfLaterSpec(key) ?? '';
    // One that is damaged never held, or stops the model where it is needed.
    const found = await loadLaterSpec(store, name, hash).catch(reasonIf('corrupt'));
    if (typeof found === 'object') later.push(found);
  }
  return [first, ...later];
}

/** Specs that were read lately, by their text: a model's is read again and again, as it was. */
const specsRead = new Map<string, StoredSpec>();

function readSpec(body: Uint8Array, name: string, key: string): StoredSpec {
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
    throw new MillraceError('corrupt', `${key} is not valid: ${reasonOf(cause)}`, { cause });
  }
}
