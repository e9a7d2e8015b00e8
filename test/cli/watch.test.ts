import { describe, expect, it } from 'vitest';
import { sparkline } from '../../lib/cli/progress.ts';
import { watch } from '../../lib/cli/watch.ts';
import { createWorld, deliver, sampleMessages, ticketsSpec } from '../support/world.ts';

describe('a line of blocks', () => {
  it.each([
    [[], ''],
    [[1], '▁'],
    [[3, 3, 3], '▁▁▁'],
    [[0, 1, 2, 3, 4, 5, 6, 7], '▁▂▃▄▅▆▇█'],
    [[7, undefined, 0, Number.NaN], '█ ▁ '],
  ])('shows %j', (values, expected) => {
    expect(sparkline(values)).toBe(expected);
  });
});

describe('a model that is watched', () => {
  it('is drawn over itself on a screen, and never wider than that', async () => {
    const world = createWorld();
    for (const each of sampleMessages(6)) await deliver(world, [each]);
    let text = '';
    const write = (part: string) => {
      text += part;
      return true;
    };
    const screen = { columns: 40, write } as NodeJS.WriteStream;
    const stop = new AbortController();
    stop.abort();
    const settled = (lagMilliseconds: number, own = ticketsSpec.model) =>
      JSON.stringify({ level: 'INFO', message: 'settled', model: own, lagMilliseconds });
    const failed = { level: 'ERROR', message: 'not settled', model: ticketsSpec.model };
    const logs = async () => [
      settled(9),
      settled(1_234),
      settled(7, 'other'),
      JSON.stringify(failed),
    ];
    const io = {
      ports: world,
      print: () => undefined,
      result: () => undefined,
      mayChange: async () => false,
    };
    expect(await watch(io, ticketsSpec.model, { screen, logs, signal: stop.signal })).toBe(0);
    const lines = text.replaceAll('\u001b[2K', '').trimEnd().split('\n');
    expect(lines[0]).toMatch(/^tickets {2}entry 6/);
    expect(lines[1]).toMatch(/^ {2}loss {6}[▁▂▃▄▅▆▇█]{6} {2}[\d.]+ now$/);
    expect(lines[4]).toBe('  lag       1,234 ms from sent to learnt');
    expect(lines[5]).toBe('  errors    1, the last: not settled');
    expect(lines[6]).toBe('  job       none runs');
    for (const line of lines) expect(line.length).toBeLessThanOrEqual(40);
  });

  it('tells each new entry, however many came between two looks, and none that was there', async () => {
    const world = createWorld();
    const messages = sampleMessages(131);
    for (const each of messages.slice(0, 5)) await deliver(world, [each]);
    const told: number[] = [];
    let clock = 0;
    const io = {
      ports: { ...world, now: () => clock },
      print: () => undefined,
      result: (entry: unknown) => void told.push((entry as { sequence: number }).sequence),
      mayChange: async () => false,
    };
    // The laptop sleeps behind the first look.
    const store = {
      ...world.store,
      async get(key: string) {
        if (clock === 0) {
          clock = 1;
          setTimeout(async () => {
            for (const each of messages.slice(5)) await deliver(world, [each]);
            clock = 1_000;
          });
        }
        return world.store.get(key);
      },
    };
    const ports = { ...world, store, now: () => clock };
    const signal = new AbortController().signal;
    await watch({ ...io, ports }, ticketsSpec.model, { seconds: 1, signal });
    expect(told).toEqual(Array.from({ length: 126 }, (_, i) => i + 6));
  });
});
