import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { consentOf, type Io } from '../../lib/cli/io.ts';
import { retract } from '../../lib/cli/retract.ts';
import { rollback } from '../../lib/cli/rollback.ts';
import { MillraceError } from '../../lib/errors.ts';
import { createWorld, deliver, sampleMessages, ticketsSpec, type World } from '../support/world.ts';

const { model } = ticketsSpec;

async function taughtWorld(): Promise<World> {
  const world = createWorld();
  for (const each of sampleMessages(4)) await deliver(world, [each]);
  return world;
}

/** A command line of somebody who says yes to everything. */
function operator(world: World): Io {
  return {
    ports: world,
    print: () => undefined,
    result: () => undefined,
    mayChange: async () => true,
  };
}

const hasDate = /\d{4}-\d\d-\d\d/;

/** What people type, and what their fingers make of it. */
const typed = fc.oneof(
  fc.constantFrom(
    ...['5.', '-1', '1.5', 'entry 2', 'v2', '1,000', '#2', ' 2', '2 ', '0x2', '1e0', '+1', '٣'],
    ...['last 1', '', 'Nov24', 'Nov 24', '2026-11', '2026-11-24', '2026-11-24T12:00', '12:00Z'],
    ...['2026-02-30T12:00Z', '2026-13-01T12:00Z', '24.11.2026', 'yesterday', 'undefined', '00'],
  ),
  fc
    .float()
    .map(String)
    .filter((text) => !/^\d+$/.test(text)),
  fc.string().filter((text) => !/^\d+$/.test(text) && !hasDate.test(text)),
);

describe('what operators type', () => {
  it('is an entry or a time with its zone, or is refused', async () => {
    const world = await taughtWorld();
    await fc.assert(
      fc.asyncProperty(typed, async (text) => {
        for (const attempt of [
          () => rollback(operator(world), model, text),
          () => retract(operator(world), model, { from: text, to: '2100-01-01T00:00Z' }),
          () => retract(operator(world), model, { from: '2000-01-01T00:00Z', to: text }),
        ]) {
          const error = await attempt().catch((thrown: unknown) => thrown);
          expect(error).toBeInstanceOf(MillraceError);
          expect((error as MillraceError).message).toMatch(/^--(to|from): must be/);
        }
      }),
    );
    expect(world.sentSamples).toEqual([]);
  });

  it('brings back the untrained weights only by entry 0', async () => {
    const world = await taughtWorld();
    await expect(rollback(operator(world), model, '1970-01-01T00:00:00Z')).rejects.toThrow(
      /had learnt nothing by 1970-01-01T00:00:00.000Z \(its first is of .*--to 0/,
    );
    await expect(rollback(operator(world), model, '2100-01-01T00:00:00Z')).rejects.toThrow(
      /2100-01-01T00:00:00.000Z is yet to come; the last entry of .* is \d+$/,
    );
    expect(world.sentSamples).toEqual([]);
    await rollback(operator(world), model, '0');
    expect(world.sentSamples.map(({ body }) => body)).toEqual(['{"rollback":{"to":0}}']);
  });

  it('names messages that exist, not those without a producer', async () => {
    const world = await taughtWorld();
    await expect(
      retract(operator(world), model, { message: 'undefined:undefined' }),
    ).rejects.toThrow('has learnt no message undefined:undefined');
    const backwards = { from: '2026-01-02T00:00Z', to: '2026-01-01T00:00Z' };
    await expect(retract(operator(world), model, backwards)).rejects.toThrow(
      '--to: must not be before --from',
    );
  });

  it('changes nothing before it is confirmed', async () => {
    const world = await taughtWorld();
    const keys = [...world.store.objects.keys()];
    for (const [consent, says] of [
      [{ isDryRun: true, isSure: true }, 'this is a dry run'],
      [{ isDryRun: false, isSure: false, ask: async () => '' }, 'nothing is changed'],
      [{ isDryRun: false, isSure: false, ask: async () => 'no' }, 'nothing is changed'],
    ] as const) {
      const lines: string[] = [];
      const print = (line: string) => void lines.push(line);
      const io: Io = {
        ports: world,
        print,
        result: () => undefined,
        mayChange: consentOf(print, consent),
      };
      const [id = ''] = sampleMessages(1).map((each) => each.id);
      expect(await rollback(io, model, '2')).toBe(0);
      expect(await retract(io, model, { message: id })).toBe(0);
      expect(lines.at(-1)).toContain(says);
      expect(lines.some((line) => line.includes('unlearn 1 sample of entry 1'))).toBe(true);
    }
    const alone = consentOf(() => undefined, { isDryRun: false, isSure: false });
    await expect(alone('what it does')).rejects.toThrow('say --yes');
    const asked = { isDryRun: false, isSure: false, ask: async () => 'Yes ' };
    expect(await consentOf(() => undefined, asked)('what it does')).toBe(true);
    expect(world.sentSamples).toEqual([]);
    expect([...world.store.objects.keys()]).toEqual(keys);
  });
});
