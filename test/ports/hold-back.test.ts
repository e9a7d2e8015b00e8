import { describe, expect, it } from 'vitest';
import { limits } from '../../lib/limits.ts';
import { holdingBack } from '../../lib/ports/hold-back.ts';

/** A queue of which a thousand messages are learnt in each pause, and its clock. */
function fullQueue(waiting: number | 'unknown') {
  const seen = { asked: 0, pauses: 0, warnings: 0, now: 0, sent: [] as string[] };
  const send = holdingBack(async ({ group }) => void seen.sent.push(group), {
    limits,
    now: () => seen.now,
    async pause() {
      seen.pauses += 1;
    },
    log: {
      info: () => undefined,
      warn() {
        seen.warnings += 1;
      },
      error: () => undefined,
    },
    async waiting() {
      seen.asked += 1;
      if (waiting === 'unknown') throw new Error('AccessDenied');
      return waiting - 1_000 * seen.pauses;
    },
  });
  const sendMany = async (group: string, count: number, milliseconds: number) => {
    for (let i = 0; i < count; i++) {
      await send({ body: '{}', group, deduplication: String(i) });
      seen.now += milliseconds;
    }
  };
  return { seen, sendMany };
}

describe('a sender that holds back', () => {
  it('waits until the queue has room, if it sends very many to one model', async () => {
    const { seen, sendMany } = fullQueue(104_500);
    await sendMany('a', limits.floodMessages, 1);
    expect(seen).toMatchObject({ asked: 0, pauses: 0 });
    await sendMany('a', 1, 1);
    expect(seen).toMatchObject({ asked: 6, pauses: 5, warnings: 1 });
    expect(seen.sent).toHaveLength(limits.floodMessages + 1);
  });

  it('never asks, if it sends less to each', async () => {
    const { seen, sendMany } = fullQueue(200_000);
    for (const group of ['a', 'b', 'c']) await sendMany(group, limits.floodMessages, 1);
    seen.now += 60_000;
    await sendMany('a', 5_000, 61);
    expect(seen).toMatchObject({ asked: 0, pauses: 0 });
  });

  it('sends all the same where it may not ask', async () => {
    const { seen, sendMany } = fullQueue('unknown');
    await sendMany('a', 2 * limits.floodMessages + 1, 1);
    expect(seen).toMatchObject({ asked: 2, pauses: 0, warnings: 0 });
    expect(seen.sent).toHaveLength(2 * limits.floodMessages + 1);
  });
});
