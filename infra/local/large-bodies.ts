/** What the emulator has of an object. */
type StoredObject = { readonly body: Uint8Array };

type Store<Stored extends StoredObject> = {
  getObject: (bucket: string, key: string) => Stored;
  readonly headObject: (bucket: string, key: string) => Stored;
};

const largeBytes = 64 * 1_048_576;

/**
 * A large object is read by pieces, and fauxqs 2.4.1 loads all of it for each. The last one stays
 * in memory instead, for as long as it is the same object.
 */
export function holdLargeBody<Stored extends StoredObject>(store: Store<Stored>): void {
  const load = store.getObject.bind(store);
  let last: { readonly head: Stored; readonly body: Uint8Array } | undefined;
  store.getObject = (bucket, key) => {
    const head = store.headObject(bucket, key);
    if (head === last?.head) return { ...head, body: last.body };
    const loaded = load(bucket, key);
    if (loaded.body.length > largeBytes) last = { head, body: loaded.body };
    return loaded;
  };
}
