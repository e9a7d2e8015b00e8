import { createHash } from 'node:crypto';
import { refuse } from '../refusal.ts';
import type {
  ListedObject,
  ObjectStore,
  PutCondition,
  PutOutcome,
  StoredObject,
} from './object-store.ts';

/**
 * A store that keeps in memory what is written to it, and changes nothing below. It answers a put
 * as S3 does.
 *
 * @param below what is read where nothing was written
 * @param isShown whether a key of it is seen
 */
export function scratchStore(below: ObjectStore, isShown: (key: string) => boolean): ObjectStore {
  const own = new Map<string, StoredObject>();
  const get: ObjectStore['get'] = async (key, part) => {
    const object = own.get(key);
    if (object === undefined) return isShown(key) ? below.get(key, part) : undefined;
    if (part === undefined) return object;
    if (part.etag !== object.etag) return undefined;
    return { etag: object.etag, body: object.body.subarray(part.start, part.end) };
  };
  return {
    bucket: below.bucket,
    get,
    async getChanged(key, etag) {
      const object = await get(key);
      return object?.etag === etag ? 'unchanged' : object;
    },
    async put(key, body, condition) {
      const refused = await refusalOf(condition, () => get(key));
      if (refused !== undefined) return refused;
      const etag = `"${createHash('md5').update(body).digest('hex')}"`;
      own.set(key, { body: Uint8Array.from(body), etag });
      return { ok: true, etag };
    },
    async list(prefix) {
      const objects = new Map<string, ListedObject>();
      for (const each of await below.list(prefix))
        if (isShown(each.key)) objects.set(each.key, each);
      for (const [key, { etag, body }] of own)
        if (key.startsWith(prefix)) objects.set(key, { key, etag, sizeBytes: body.length });
      return [...objects.values()].sort((a, b) => (a.key < b.key ? -1 : 1));
    },
    async folders(prefix) {
      const names = (await below.folders(prefix)).filter((name) => isShown(`${prefix}${name}/`));
      for (const key of own.keys()) {
        const rest = key.startsWith(prefix) ? key.slice(prefix.length) : '';
        if (rest.includes('/')) names.push(rest.slice(0, rest.indexOf('/')));
      }
      return [...new Set(names)].sort();
    },
  };
}

async function refusalOf(
  condition: PutCondition | undefined,
  current: () => Promise<StoredObject | undefined>,
): Promise<PutOutcome | undefined> {
  if (condition === undefined) return undefined;
  const etag = (await current())?.etag;
  const holds = 'ifMatch' in condition ? etag === condition.ifMatch : etag === undefined;
  return holds ? undefined : refuse('precondition', 'another object is there');
}
