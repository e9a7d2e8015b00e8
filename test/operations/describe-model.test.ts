import { describe, expect, it } from 'vitest';
import { keys } from '../../lib/bucket/keys.ts';
import { describeModel, listModels } from '../../lib/operations/describe-model.ts';
import { createWorld, deliver, sampleMessages, ticketsSpec } from '../support/world.ts';

const { model } = ticketsSpec;

describe('a model that is shown', () => {
  it.each(['gone', 'damaged'])('has its history though its published state is %s', async (how) => {
    const world = createWorld();
    for (const each of sampleMessages(3)) await deliver(world, [each]);
    const before = await describeModel(world, model);
    expect(before.learnt).toBeGreaterThan(0);
    if (how === 'gone') world.store.remove(keys.state(model));
    else await world.store.put(keys.state(model), Buffer.from('g'));
    const { stateBytes: _, ...after } = await describeModel(world, model);
    const { stateBytes: __, ...expected } = before;
    expect(after).toEqual(expected);
    expect(await listModels(world)).toMatchObject([{ sequence: 3, learnt: before.learnt }]);
  });

  it('is listed beside one that is broken', async () => {
    const world = createWorld();
    await world.store.put(keys.spec('odd'), Buffer.from('{}'));
    expect(await listModels(world)).toMatchObject([
      { model: 'odd', problem: expect.stringContaining('models/odd/spec.json is not valid') },
      { model, learnt: 0 },
    ]);
  });

  it('is shown without a history where it has none', async () => {
    expect(await describeModel(createWorld(), model)).toMatchObject({ sequence: 0, learnt: 0 });
  });
});
