import { describe, expect, it } from 'vitest';
import { keys } from '../../lib/bucket/keys.ts';
import { quarantine, readQuarantine, readQuarantineRecord } from '../../lib/journal/quarantine.ts';
import { createWorld, ticketsSpec } from '../support/world.ts';

const { model } = ticketsSpec;

describe('a quarantine record', () => {
  it('is not overwritten by whoever was overtaken', async () => {
    const world = createWorld();
    const write = (sequence: number, reason: string) =>
      quarantine(world, model, {
        message: 'one',
        refused: [{ index: -1, field: 'producer', reason }],
        sequence,
      });
    const read = () => readQuarantineRecord(world.store, keys.quarantine(model, 'one'));
    await write(3, 'third');
    await write(2, 'second');
    expect(await read()).toMatchObject({ refused: [{ reason: 'third' }] });
    await write(4, 'fourth');
    expect(await read()).toMatchObject({ refused: [{ reason: 'fourth' }] });
  });

  it('that is broken stops nothing but its reader', async () => {
    const world = createWorld();
    await world.store.put(keys.quarantine(model, 'one'), Buffer.from('{'));
    await expect(readQuarantine(world.store, model)).rejects.toThrow(/one.json is damaged/);
    await quarantine(world, model, { message: 'one', refused: [] });
    expect(await readQuarantine(world.store, model)).toMatchObject([{ message: 'one' }]);
  });
});
