import { describe, expect, it } from 'vitest';
import { sampleHash } from '../../lib/fold/exclusions.ts';
import { changeSpec } from '../../lib/operations/change-spec.ts';
import { prepareRetraction } from '../../lib/operations/prepare-retraction.ts';
import { findRollback } from '../../lib/operations/rollback.ts';
import {
  createWorld,
  deliver,
  message,
  modelOf,
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
    // The first spec holds again: what changes is told of where the second one did.
    await deliver(world, [message(52, { rollback: { to: 2 } })]);
    for (const entry of [4, 5])
      expect(await findRollback(world, model, { entry })).toMatchObject({ respecified: 6 });
    for (const entry of [0, 3, 6])
      expect(await findRollback(world, model, { entry })).not.toHaveProperty('respecified');
  });

  it('does not count behind it what was retracted since', async () => {
    const world = createWorld();
    const messages = sampleMessages(3);
    for (const each of messages) await deliver(world, [each]);
    const sizes = messages.map(({ body }) => JSON.parse(body).samples.length as number);
    const [, second = 0, third = 0] = sizes;
    expect(await findRollback(world, model, { entry: 1 })).toMatchObject({
      samples: second + third,
    });
    const [first] = JSON.parse(messages[1]?.body ?? '').samples as unknown[];
    const { retract } = await prepareRetraction(world, await modelOf(world), {
      messages: [messages[2]?.id ?? ''],
      samples: [sampleHash(first)],
    });
    await deliver(world, [message(90, { retract })]);
    expect(await findRollback(world, model, { entry: 1 })).toMatchObject({ samples: second - 1 });
  });
});
