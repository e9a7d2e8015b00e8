import { expect, it } from 'vitest';
import type { ObjectStore } from '../../lib/bucket/object-store.ts';

const bytes = (text: string) => Buffer.from(text);
const text = (body: Uint8Array | undefined) => body && Buffer.from(body).toString('utf8');
let keys = 0;

/**
 * What every object store must do; the same battery for the simulator's, the local cloud's and a
 * real bucket.
 */
export function itIsAnObjectStore(open: () => ObjectStore): void {
  const newKey = () => `contract/${keys++}`;

  it('answers undefined for a missing object', async () => {
    expect(await open().get(newKey())).toBeUndefined();
  });

  it('reads what was written, at once and after overwriting, with the ETag that the put answered', async () => {
    const store = open();
    const key = newKey();
    for (const body of ['one', 'two', '']) {
      const put = await store.put(key, bytes(body));
      const object = await store.get(key);
      expect(text(object?.body)).toBe(body);
      expect(put).toEqual({ ok: true, etag: object?.etag });
    }
  });

  it('reads a part of the object that the caller knows, and of no other', async () => {
    const store = open();
    const key = newKey();
    const put = await store.put(key, bytes('0123456789'));
    const etag = put.ok ? put.etag : '';
    expect(text((await store.get(key, { start: 0, end: 10, etag }))?.body)).toBe('0123456789');
    expect(text((await store.get(key, { start: 9, end: 99, etag }))?.body)).toBe('9');
    expect(text((await store.get(key, { start: 2, end: 4, etag }))?.body)).toBe('23');
    await store.put(key, bytes('other'));
    expect(await store.get(key, { start: 2, end: 4, etag })).toBeUndefined();
    expect(await store.get(key, { start: 8, end: 10, etag })).toBeUndefined();
    expect(await store.get(newKey(), { start: 0, end: 1, etag })).toBeUndefined();
  });

  it('reads an object only if it has changed', async () => {
    const store = open();
    const key = newKey();
    const put = await store.put(key, bytes('one'));
    const etag = put.ok ? put.etag : '';
    expect(await store.getChanged(key, etag)).toBe('unchanged');
    await store.put(key, bytes('two'));
    const changed = await store.getChanged(key, etag);
    expect(changed).toMatchObject({ etag: (await store.get(key))?.etag });
    expect(changed !== 'unchanged' && text(changed?.body)).toBe('two');
    expect(await store.getChanged(newKey(), etag)).toBeUndefined();
  });

  it('creates an object once where If-None-Match says so', async () => {
    const store = open();
    const key = newKey();
    expect(await store.put(key, bytes('first'), { ifNoneMatch: '*' })).toMatchObject({ ok: true });
    const refused = { ok: false, code: 'precondition' };
    expect(await store.put(key, bytes('second'), { ifNoneMatch: '*' })).toMatchObject(refused);
    expect(await store.put(key, bytes('first'), { ifNoneMatch: '*' })).toMatchObject(refused);
    expect(text((await store.get(key))?.body)).toBe('first');
  });

  it('replaces only the object that If-Match names', async () => {
    const store = open();
    const key = newKey();
    const first = await store.put(key, bytes('first'));
    const second = await store.put(key, bytes('second'), { ifMatch: first.ok ? first.etag : '' });
    expect(second.ok).toBe(true);
    const stale = await store.put(key, bytes('third'), { ifMatch: first.ok ? first.etag : '' });
    expect(stale).toMatchObject({ ok: false, code: 'precondition' });
    expect(text((await store.get(key))?.body)).toBe('second');
  });

  it('refuses If-Match on a missing object', async () => {
    const store = open();
    const key = newKey();
    expect(await store.put(key, bytes('x'), { ifMatch: '"0"' })).toMatchObject({
      ok: false,
      code: 'precondition',
    });
    expect(await store.get(key)).toBeUndefined();
  });

  it('lets one of many concurrent creators win, and shows its object to all', async () => {
    const store = open();
    const key = newKey();
    const outcomes = await Promise.all(
      Array.from({ length: 20 }, async (_, writer) => ({
        writer,
        outcome: await store.put(key, bytes(String(writer)), { ifNoneMatch: '*' }),
      })),
    );
    const winners = outcomes.filter(({ outcome }) => outcome.ok);
    expect(winners).toHaveLength(1);
    expect(text((await store.get(key))?.body)).toBe(String(winners[0]?.writer));
  });

  it('lets one of many concurrent replacers win', async () => {
    const store = open();
    const key = newKey();
    const first = await store.put(key, bytes('first'));
    const outcomes = await Promise.all(
      Array.from({ length: 20 }, (_, writer) =>
        store.put(key, bytes(String(writer)), { ifMatch: first.ok ? first.etag : '' }),
      ),
    );
    expect(outcomes.filter(({ ok }) => ok)).toHaveLength(1);
  });

  it('writes a large object in parts, whole, under its conditions', async () => {
    const store = open();
    const key = newKey();
    const large = Buffer.alloc(20 * 1_048_576, 'abcdefg');
    expect(await store.put(key, large, { ifNoneMatch: '*' })).toMatchObject({ ok: true });
    expect(large.equals((await store.get(key))?.body ?? Buffer.of())).toBe(true);
    expect(await store.put(key, large, { ifNoneMatch: '*' })).toMatchObject({
      ok: false,
      code: 'precondition',
    });
    expect(await store.put(key, large, { ifMatch: '"0"' })).toMatchObject({
      ok: false,
      code: 'precondition',
    });
  });

  it('lists the folders right below a prefix, each once', async () => {
    const store = open();
    const prefix = `${newKey()}/`;
    for (const name of ['b/1', 'a/deep/2', 'a/3', 'file', 'ab/4'])
      await store.put(`${prefix}${name}`, bytes('x'));
    expect(await store.folders(prefix)).toEqual(['a', 'ab', 'b']);
    expect(await store.folders(`${prefix}none/`)).toEqual([]);
  });

  it('lists what was written at once, in the order of keys, beyond one page', async () => {
    const store = open();
    const prefix = `${newKey()}/`;
    const names = Array.from({ length: 1_050 }, (_, i) => `${prefix}${String(i).padStart(5, '0')}`);
    for (let start = 0; start < names.length; start += 50) {
      await Promise.all(names.slice(start, start + 50).map((name) => store.put(name, bytes(name))));
    }
    const listed = await store.list(prefix);
    expect(listed.map(({ key }) => key)).toEqual(names);
    expect(listed[0]).toEqual({
      key: names[0],
      etag: (await store.get(names[0] ?? ''))?.etag,
      sizeBytes: names[0]?.length,
    });
    expect(await store.list(`${prefix}none`)).toEqual([]);
  });
}
