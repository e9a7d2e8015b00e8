import type { ListedObject, ObjectStore } from './object-store.ts';

/** What an overlay does with keys that are not its own. */
export type Beside = {
  /** Seen as they are, where nothing was written over them. */
  readonly isShown: (key: string) => boolean;
  /** Read and written as they are. */
  readonly isShared: (key: string) => boolean;
};

/** A store that keeps what is written to it in a folder of its own, and so changes nothing else. */
export function overlayStore(
  below: ObjectStore,
  folder: string,
  { isShown, isShared }: Beside,
): ObjectStore {
  const placeOf = (key: string) => (isShared(key) ? key : folder + key);
  const isBeside = (key: string) => isShown(key) || isShared(key);
  return {
    bucket: below.bucket,
    async get(key, part) {
      const own = await below.get(placeOf(key), part);
      return own === undefined && isShown(key) ? below.get(key, part) : own;
    },
    async getChanged(key, etag) {
      const own = await below.getChanged(placeOf(key), etag);
      return own === undefined && isShown(key) ? below.getChanged(key, etag) : own;
    },
    put: (key, body, condition) => below.put(placeOf(key), body, condition),
    async list(prefix) {
      const objects = new Map<string, ListedObject>();
      for (const each of await below.list(prefix))
        if (isBeside(each.key)) objects.set(each.key, each);
      for (const { key, ...each } of await below.list(folder + prefix)) {
        const own = key.slice(folder.length);
        objects.set(own, { key: own, ...each });
      }
      return [...objects.values()].sort((a, b) => (a.key < b.key ? -1 : 1));
    },
    async folders(prefix) {
      const others = await below.folders(prefix);
      const shown = others.filter((name) => isBeside(`${prefix}${name}/`));
      return [...new Set([...shown, ...(await below.folders(folder + prefix))])].sort();
    },
  };
}
