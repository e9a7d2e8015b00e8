import { describe, expect, it } from 'vitest';
import { keys } from '../../lib/bucket/keys.ts';
import { stateAt } from '../../lib/fold/fold.ts';
import { prepareRetraction } from '../../lib/operations/prepare-retraction.ts';
import { verifyModel } from '../../lib/operations/verify.ts';
import { defineSpec, type SpecInput } from '../../lib/spec/spec.ts';
import { decodeCheckpoint, encodeCheckpoint } from '../../lib/state/checkpoint-file.ts';
import type { Parameters } from '../../lib/state/state.ts';
import { parametersOf } from '../../lib/state/state.ts';
import { promote, runJob, start, worldWithDataset } from '../support/jobs.ts';
import {
  createWorld,
  deliver,
  foldJournal,
  message,
  modelOf,
  sampleMessages,
  ticketsSpec,
  type World,
} from '../support/world.ts';

/** Learners of each kind: one replays, one forgets, one is linear. */
const spec: SpecInput = {
  ...ticketsSpec,
  online: {
    minibatch: 2,
    replay: { ratio: 3, size: 5 },
    experts: [
      { replay: true },
      { hidden: [2, 2], halfLife: 4, rate: 0.1 },
      { hidden: [], replay: true, halfLife: 9 },
    ],
  },
};
const regression: SpecInput = {
  ...spec,
  task: 'regression',
  loss: undefined,
  label: { standardize: true },
  online: {
    ...spec.online,
    experts: [{ replay: true }, { halfLife: 4 }, { predicts: 'lastLabel' }],
  },
};
const messages = sampleMessages(9, 'till-1');

async function learnt(of: readonly (typeof messages)[number][], each = 1): Promise<World> {
  const world = createWorld(spec);
  for (let i = 0; i < of.length; i += each) await deliver(world, of.slice(i, i + each));
  return world;
}

/** All that parameters are, so that nothing of it is left out of a comparison. */
const all = ({ tensors, step, seed, statistics, replay }: Parameters) => ({
  tensors,
  step,
  seed,
  statistics,
  replay,
});

describe('experts and replay', () => {
  it('learn the same, however messages are delivered, and from a checkpoint', async () => {
    const one = await foldJournal(await learnt(messages));
    for (const each of [2, 4, 9]) {
      const world = await learnt(messages, each);
      const other = await foldJournal(world);
      expect(all(other)).toEqual(all(one));
      const published = await world.store.get(keys.state(ticketsSpec.model));
      expect(all(decodeCheckpoint(published?.body ?? new Uint8Array()))).toEqual(all(one));
    }
    expect(one.replay?.seen).toBe(one.learnt);
    expect(one.replay?.samples.count).toBe(5);
    expect(one.statistics.forgetting).toHaveLength(2);
    expect(one.learnt).toBeGreaterThan(10);
  });

  it('are verified from a kept checkpoint and from the first entry', async () => {
    const world = createWorld(spec, { keptCheckpointEntries: 4 });
    for (const each of messages) await deliver(world, [each]);
    const model = await modelOf(world);
    for (const isWhole of [false, true])
      expect(await verifyModel(world, model, isWhole)).toMatchObject({ to: 9, isSame: true });
  });

  it('forget what is retracted: neither weights nor what is replayed ever knew it', async () => {
    const world = await learnt(messages);
    const [third] = messages.slice(2);
    const retraction = { messages: [third?.id ?? ''], samples: [] };
    const { retract } = await prepareRetraction(world, await modelOf(world), retraction);
    await deliver(world, [message(100, { retract })]);
    const without = await foldJournal(await learnt(messages.filter((each) => each !== third)));
    expect(all(await foldJournal(world))).toEqual(all(without));
  });

  it('come back with a rollback, old samples included', async () => {
    const world = await learnt(messages);
    const before = await stateAt(world, await modelOf(world), 4);
    await deliver(world, [message(100, { rollback: { to: 4 } })]);
    expect(all(await foldJournal(world))).toEqual(all(before));
    expect(all(before).replay?.seen).toBeLessThan(20);
  });

  it('train in a batch job, slice by slice, and are promoted with what they have earned', async () => {
    const sliced: SpecInput = { ...spec, batch: { ...spec.batch, slice: { epochs: 1 } } };
    const [whole, parts] = await Promise.all(
      [spec, sliced].map(async (each) => {
        const world = await worldWithDataset(each);
        for (const sent of messages) await deliver(world, [sent]);
        const { place } = await runJob(world, start);
        expect(place?.status).toBe('promotion-sent');
        await promote(world);
        const state = await foldJournal(world);
        expect(state.promoted?.job).toBe('first');
        expect(await verifyModel(world, await modelOf(world), true)).toMatchObject({
          isSame: true,
        });
        return all(state);
      }),
    );
    expect(whole?.tensors).toEqual(parts?.tensors);
    const weights = whole?.tensors['weights/mixture/weights']?.data ?? [];
    expect([...weights].reduce((a, b) => a + b, 0)).toBeCloseTo(1, 5);
    expect(Math.max(...weights)).toBeGreaterThan(0.4);
  });

  it('of a regression predict numbers in the own unit, the last label among them', async () => {
    const world = createWorld(regression);
    const labels = [812, 815, 811, 816, 814, 813];
    for (const [i, label] of labels.entries()) {
      const samples = [{ features: { urgency: i % 3, team: 'red' }, label }];
      await deliver(world, [message(i + 1, { samples })]);
    }
    const state = await foldJournal(world);
    const { statistics } = state;
    const column = statistics.mean.length - 1;
    const deviation = Math.sqrt((statistics.squares[column] ?? 0) / statistics.count);
    const last = state.tensors['weights/mixture/last_label']?.data[0] ?? Number.NaN;
    expect(last * deviation + (statistics.mean[column] ?? 0)).toBeCloseTo(813, 3);
  });

  it('keep at most as many old samples as fit into a mebibyte', async () => {
    const wide = defineSpec({
      model: ticketsSpec.model,
      task: 'binary',
      features: { pixels: { type: 'vector', length: 50_000 } },
      network: { hidden: [] },
      online: { replay: { size: 100 } },
    });
    const world = createWorld(wide);
    const samples = Array.from({ length: 8 }, (_, i) => ({
      features: { pixels: Array.from({ length: 50_000 }, () => i) },
      label: i % 2 === 0,
    }));
    await deliver(world, [message(1, { samples })]);
    expect((await foldJournal(world)).replay?.samples.count).toBe(5);
  });

  it('survive their file, and one that lacks a part is damaged', async () => {
    const state = await foldJournal(await learnt(messages));
    expect(all(decodeCheckpoint(encodeCheckpoint(state)))).toEqual(all(state));
    expect(all(parametersOf(state))).toEqual(all(state));
  });
});
