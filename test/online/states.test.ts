import { describe, expect, it } from 'vitest';
import { keys } from '../../lib/bucket/keys.ts';
import { stateAt } from '../../lib/fold/fold.ts';
import { predict } from '../../lib/model/predict.ts';
import { prepareRetraction } from '../../lib/operations/prepare-retraction.ts';
import { verifyModel } from '../../lib/operations/verify.ts';
import { defineSpec, type SpecInput } from '../../lib/spec/spec.ts';
import { decodeCheckpoint, encodeCheckpoint } from '../../lib/state/checkpoint-file.ts';
import type { Parameters } from '../../lib/state/state.ts';
import { parametersOf } from '../../lib/state/state.ts';
import { promote, runJob, start, worldWithDataset } from '../support/jobs.ts';
import {
  gappy,
  growing,
  messages,
  regression,
  sentTo,
  spec,
  specs,
} from '../support/much-in-state.ts';
import {
  createWorld,
  deliver,
  foldJournal,
  message,
  modelOf,
  ticketsSpec,
  type World,
} from '../support/world.ts';

async function learnt(
  of: readonly (typeof messages)[number][],
  each = 1,
  declared = spec,
): Promise<World> {
  const world = createWorld(declared);
  for (let i = 0; i < of.length; i += each) await deliver(world, of.slice(i, i + each));
  return world;
}

/** All that parameters are, so that nothing of it is left out of a comparison. */
const all = ({ tensors, step, seed, statistics, replay, drift }: Parameters) => ({
  tensors,
  step,
  seed,
  statistics,
  replay,
  drift,
});

describe.each(Object.entries(specs))('a model with much in its state: %s', (name, declared) => {
  const sent = sentTo[name] ?? gappy;

  it('learns the same, however messages are delivered, and from a checkpoint', async () => {
    const one = await foldJournal(await learnt(sent, 1, declared));
    expect(one.learnt).toBeGreaterThan(10);
    if (declared.online?.drift) expect(one.drift?.found).toBeGreaterThan(0);
    if (name === 'classes')
      expect(one.statistics.classNames).toEqual(['never', 'false', 'true', 'lost', 'late']);
    if (declared.features.team === growing.team)
      expect(one.statistics.vocabularies?.[0]?.totals[2]).toBeGreaterThan(0);
    for (const each of [2, 4, 9]) {
      const world = await learnt(sent, each, declared);
      const other = await foldJournal(world);
      expect(all(other)).toEqual(all(one));
      const published = await world.store.get(keys.state(ticketsSpec.model));
      expect(all(decodeCheckpoint(published?.body ?? new Uint8Array()))).toEqual(all(one));
    }
  });

  it('is verified from a kept checkpoint and from the first entry', async () => {
    const world = createWorld(declared, { keptCheckpointEntries: 4 });
    for (const each of sent) await deliver(world, [each]);
    const model = await modelOf(world);
    for (const isWhole of [false, true])
      expect(await verifyModel(world, model, isWhole)).toMatchObject({
        to: sent.length,
        isSame: true,
      });
  });

  it('forgets what is retracted: nothing in its state ever knew it', async () => {
    const world = await learnt(sent, 1, declared);
    const [third] = sent.slice(2);
    const retraction = { messages: [third?.id ?? ''], samples: [] };
    const { retract } = await prepareRetraction(world, await modelOf(world), retraction);
    await deliver(world, [message(100, { retract })]);
    const others = sent.filter((each) => each !== third);
    const without = await foldJournal(await learnt(others, 1, declared));
    expect(all(await foldJournal(world))).toEqual(all(without));
  });

  it('comes back whole with a rollback', async () => {
    const world = await learnt(sent, 1, declared);
    const before = await stateAt(world, await modelOf(world), 4);
    await deliver(world, [message(100, { rollback: { to: 4 } })]);
    expect(all(await foldJournal(world))).toEqual(all(before));
  });

  it('trains in a batch job, slice by slice, and is promoted', async () => {
    const { batch } = ticketsSpec;
    const long = { ...batch, epochs: name === 'experts' ? 12 : 3 };
    const whole: SpecInput = { ...declared, batch: long };
    const sliced: SpecInput = { ...declared, batch: { ...long, slice: { epochs: 1 } } };
    const [once, parts] = await Promise.all(
      [whole, sliced].map(async (each) => {
        const world = await worldWithDataset(each);
        for (const own of sent.slice(0, 2)) await deliver(world, [own]);
        const { place } = await runJob(world, start);
        expect(place?.status).toBe('promotion-sent');
        const { drift, statistics } = await foldJournal(world);
        await promote(world);
        const state = await foldJournal(world);
        // What came last on the stream is newer than what a dataset ends with.
        expect(state.statistics.lags?.[1]?.values).toEqual(statistics.lags?.[1]?.values);
        expect(state.drift?.window.seen).toEqual(drift?.window.seen);
        expect(state.promoted?.job).toBe('first');
        expect(await verifyModel(world, await modelOf(world), true)).toMatchObject({
          isSame: true,
        });
        return all(state);
      }),
    );
    expect(once).toEqual(parts);
  });
});

describe('experts and replay', () => {
  it('keep what they say they keep', async () => {
    const state = await foldJournal(await learnt(messages));
    expect(state.replay?.seen).toBe(state.learnt);
    expect(state.replay?.samples.count).toBe(5);
    expect(state.statistics.forgetting).toHaveLength(2);
    const weights = state.tensors['weights/mixture/weights']?.data ?? [];
    expect([...weights].reduce((a, b) => a + b, 0)).toBeCloseTo(1, 5);
  });

  it('predict numbers in the own unit, the last label among them', async () => {
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
      features: { pixels: { type: 'vector', length: 50_000, standardize: false } },
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

  it('go on behind a message of which nothing can be learnt', async () => {
    const world = createWorld({
      model: ticketsSpec.model,
      task: 'regression',
      features: { x: { type: 'number', standardize: false } },
      network: { hidden: [] },
      optimizer: { type: 'sgd', rate: 0.1 },
      online: {
        replay: { ratio: 2, size: 5 },
        experts: [{ hidden: [8], replay: true }, { hidden: [8] }],
      },
    });
    const wild = { features: { x: 3e38 }, label: 1 };
    await deliver(world, [message(1, { samples: [wild] })]);
    await deliver(world, [message(2, { samples: [wild, wild] })]);
    await deliver(world, [message(3, { samples: [{ features: { x: 1 }, label: 2 }] })]);
    expect((await foldJournal(world)).learnt).toBe(1);
  });

  it('stay within what labels were, whatever a number is', async () => {
    const world = createWorld(regression);
    const samples = Array.from({ length: 40 }, (_, i) => ({
      features: { urgency: i % 7, team: 'red' },
      label: 100 + (i % 7),
    }));
    await deliver(world, [message(1, { samples: samples.slice(0, 20) })]);
    await deliver(world, [message(2, { samples: samples.slice(20) })]);
    const model = await modelOf(world);
    const asked = model.encoder.encodeFeatures([{ features: { urgency: 1e30, team: 'red' } }]);
    const [found = 0] = await predict(model, await foldJournal(world), asked.samples);
    expect(found).toBeGreaterThanOrEqual(98.8 - 1e-3);
    expect(found).toBeLessThanOrEqual(107.2 + 1e-3);
  });

  it('survive their file', async () => {
    const state = await foldJournal(await learnt(messages));
    expect(all(decodeCheckpoint(encodeCheckpoint(state)))).toEqual(all(state));
    expect(all(parametersOf(state))).toEqual(all(state));
  });
});
