import { describe, expect, it } from 'vitest';
import { readQuarantine } from '../../lib/journal/quarantine.ts';
import { limits } from '../../lib/limits.ts';
import type { Message } from '../../lib/online/messages.ts';
import {
  createWorld,
  deliver,
  foldJournal,
  message,
  ticket,
  ticketsSpec,
} from '../support/world.ts';

/** A world where half a second passes whenever somebody asks how many are left: for each sample. */
function slowWorld() {
  const world = createWorld();
  const invoke = (messages: readonly Message[]) => {
    let left: number = limits.onlineTimeoutSeconds;
    return deliver(world, messages, () => {
      left -= 0.5;
      return left;
    });
  };
  return { world, invoke };
}

const tickets = (count: number) => Array.from({ length: count }, (_, i) => ticket(i));

describe('a message that takes long', () => {
  it('is refused where it takes longer than a message may, and the next is learnt', async () => {
    const { world, invoke } = slowWorld();
    const long = message(1, { samples: tickets(100) });
    const next = message(2, { samples: tickets(2) });
    expect(await invoke([long, next])).toMatchObject({ settled: 1, hasAdvanced: true });
    expect(await invoke([next])).toMatchObject({ settled: 1 });
    const [record, ...others] = await readQuarantine(world.store, ticketsSpec.model);
    expect(others).toEqual([]);
    expect(record).toMatchObject({ message: long.id, refused: [{ index: -1, code: 'too-slow' }] });
    expect(record?.refused[0]?.reason).toMatch(/takes more than 45 s to learn; send fewer samples/);
    expect((await foldJournal(world)).learnt).toBe(2);
  });

  it('comes back where others before it took its time, which are committed', async () => {
    const { world, invoke } = slowWorld();
    const messages = [1, 2, 3, 4].map((number) => message(number, { samples: tickets(30) }));
    let left: readonly Message[] = messages;
    for (let invocations = 0; left.length > 0; invocations++) {
      expect(invocations).toBeLessThan(5);
      const { settled, hasAdvanced } = await invoke(left);
      expect(hasAdvanced).toBe(true);
      left = left.slice(settled);
      if (invocations === 0) expect(left.length).toBeGreaterThan(0);
    }
    expect((await foldJournal(world)).learnt).toBe(120);
    expect(await readQuarantine(world.store, ticketsSpec.model)).toEqual([]);
  });
});
