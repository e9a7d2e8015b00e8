import { describe, expect, it } from 'vitest';
import { changeSpec } from '../../lib/operations/change-spec.ts';
import { findRollback } from '../../lib/operations/rollback.ts';
import {
  createWorld,
  deliver,
  message,
  sampleMessages,
  ticket,
  ticketsSpec,
} from '../support/world.ts';

const { model } = ticketsSpec;

describe('an entry to go back to', () => {
  it('comes with what lies behind it: samples, and another spec', async () => {
    const world = createWorld();
    for (const each of sampleMessages(3)) await deliver(world, [each]);
    await changeSpec(world, model, { ...ticketsSpec, online: { minibatch: 4 } });
    await deliver(world, [message(50, world.sentSamples.splice(0)[0]?.body)]);
    const behind = await findRollback(world, model, { entry: 2 });
    expect(behind).toMatchObject({ entry: 2, sequence: 4, respecified: 4 });
    expect(behind.samples).toBeGreaterThan(0);
    expect(await findRollback(world, model, { entry: 0 })).toMatchObject({ respecified: 4 });
    await deliver(world, [message(51, { samples: [ticket(1)] })]);
    expect(await findRollback(world, model, { entry: 4 })).not.toHaveProperty('respecified');
  });
});
