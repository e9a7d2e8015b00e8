import { describe, expect, it } from 'vitest';
import { keys } from '../../lib/bucket/keys.ts';
import { MillraceError } from '../../lib/errors.ts';
import { commitEntry } from '../../lib/journal/commit.ts';
import type { Entry } from '../../lib/journal/entry.ts';
import { limits } from '../../lib/limits.ts';
import { refuse } from '../../lib/refusal.ts';
import { memoryStore } from '../support/memory-store.ts';

function entryWith(nonce: string): Entry {
  const common = { sequence: 1, model: 'm', spec: 's', engine: 'e', time: 't', messages: [] };
  return { header: { kind: 'samples', nonce, ...common }, samples: [] };
}

const key = keys.entry('m', 1);
const pause = async () => undefined;
const timeout = () => new MillraceError('unavailable', 'timeout');

describe('committing an entry', () => {
  it('succeeds once, and is lost to whoever was first', async () => {
    const store = memoryStore();
    expect(await commitEntry({ store, limits, pause }, entryWith('mine'))).toMatchObject({
      ok: true,
    });
    expect(await commitEntry({ store, limits, pause }, entryWith('other'))).toMatchObject({
      ok: false,
      code: 'lost',
    });
  });

  it('knows its own entry when the answer to its put was lost', async () => {
    const store = memoryStore();
    let lostAnswers = 0;
    store.hook = ({ operation, when }) => {
      if (operation === 'put' && when === 'after' && lostAnswers++ === 0) throw timeout();
    };
    expect(await commitEntry({ store, limits, pause }, entryWith('mine'))).toMatchObject({
      ok: true,
    });
    expect(lostAnswers).toBe(2);
  });

  it('takes a put that is never answered for neither success nor failure', async () => {
    const store = memoryStore();
    let attempts = 0;
    store.hook = ({ operation, when }) => {
      if (operation === 'put' && when === 'before') {
        attempts += 1;
        throw timeout();
      }
    };
    expect(await commitEntry({ store, limits, pause }, entryWith('mine'))).toMatchObject({
      ok: false,
      code: 'lost',
    });
    expect(attempts).toBe(limits.putAttempts);
    expect(store.objects.has(key)).toBe(false);
  });

  it('tries a conflict again', async () => {
    const store = memoryStore();
    const { put } = store;
    let conflicts = 0;
    const conflicting: typeof store = Object.assign(store, {
      put: async (...call: Parameters<typeof put>) =>
        conflicts++ < 2 ? refuse('conflict', 'ConditionalRequestConflict') : put(...call),
    });
    expect(
      await commitEntry({ store: conflicting, limits, pause }, entryWith('mine')),
    ).toMatchObject({
      ok: true,
    });
    expect(conflicts).toBe(3);
  });
});
