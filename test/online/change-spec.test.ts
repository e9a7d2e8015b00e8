import { describe, expect, it } from 'vitest';
import { currentModel } from '../../lib/fold/current-model.ts';
import { prepareSpec, sendSpec } from '../../lib/operations/change-spec.ts';
import { describeModel } from '../../lib/operations/describe-model.ts';
import { prepareRetraction } from '../../lib/operations/prepare-retraction.ts';
import { verifyModel } from '../../lib/operations/verify.ts';
import { openModel } from '../../lib/serving/open-model.ts';
import type { SpecInput } from '../../lib/spec/spec.ts';
import { parametersOf } from '../../lib/state/state.ts';
import {
  change,
  command,
  early,
  faster,
  late,
  name,
  other,
  parametersNow,
  sent,
  worldWith,
} from '../support/changed.ts';
import {
  deliver,
  foldJournal,
  message,
  modelOf,
  published,
  ticketsSpec,
} from '../support/world.ts';

const changes = {
  columns: other,
  'a linear model': { ...ticketsSpec, network: { hidden: [] } },
  'another engine': { ...other, engine: 'tfjs' },
  experts: {
    ...ticketsSpec,
    online: { minibatch: 2, experts: [{ hidden: [2], halfLife: 4 }, { predicts: 'prior' }] },
  },
  'a feature less': {
    ...ticketsSpec,
    features: { urgency: { type: 'number' }, hour: { type: 'number', missing: 12 } },
    ignore: ['team'],
  },
} satisfies Record<string, SpecInput>;

describe.each(Object.entries(changes))('a spec that is changed: %s', (_, next) => {
  it('goes on as if it had held from the beginning, and the stream loses nothing', async () => {
    const world = await worldWith(ticketsSpec, early);
    const before = await foldJournal(world);
    const { from, compared } = await change(world, next);
    expect(from).toBe('journal');
    expect(compared?.map(({ samples }) => samples)).toEqual([before.learnt, before.learnt]);
    const then = await foldJournal(world);
    expect(then).toMatchObject({ sequence: 8, specSince: 8, learnt: before.learnt });
    expect(then.ledger.producers).toEqual(before.ledger.producers);
    expect(then.scores.samples).toBe(0);
    expect((await describeModel(world, name)).figuresSince).toBe(8);
    for (const each of late) await deliver(world, [each]);
    const always = await foldJournal(await worldWith(next, sent));
    expect(await parametersNow(world)).toEqual(parametersOf(always));
    expect(parametersOf(await published(world))).toEqual(parametersOf(always));
    expect((await foldJournal(world)).learnt).toBe(always.learnt);
  });

  it('first learns what arrived while it was prepared, on a warm machine too', async () => {
    const world = await worldWith(ticketsSpec, early.slice(0, 4));
    const prepared = await prepareSpec(world, name, next);
    let cached = (await deliver(world, early.slice(4, 5))).cached;
    for (const each of early.slice(5))
      ({ cached } = await deliver(world, [each], undefined, cached));
    await sendSpec(world, prepared);
    const [{ body } = { body: '' }] = world.sentSamples.splice(0);
    ({ cached } = await deliver(world, [message(900, body), ...late], undefined, cached));
    expect(cached?.model.specHash).toBe(cached?.state.specHash);
    const always = await foldJournal(await worldWith(next, sent));
    expect(parametersOf((await currentModel(world, name)).state)).toEqual(parametersOf(always));
  });

  it('is verified over the change, predicts by the new spec, and comes back with a rollback', async () => {
    const world = await worldWith(ticketsSpec, early);
    const open = await openModel(world, name);
    const question = [{ features: { urgency: 3, team: 'red' } }];
    expect(await open.predict(question)).toMatchObject({ sequence: 7 });
    const old = await foldJournal(world);
    await change(world, next);
    const [asked, fresh] = [
      await open.predict(question, { maxAgeSeconds: 0 }),
      await (await openModel(world, name)).predict(question),
    ];
    expect(asked).toMatchObject({ sequence: 8, spec: (await foldJournal(world)).specHash });
    expect(asked).toEqual({ ...fresh, ageSeconds: expect.anything() });
    for (const each of late) await deliver(world, [each]);
    for (const isWhole of [false, true])
      expect(await verifyModel(world, await modelOf(world), isWhole)).toMatchObject({
        to: 13,
        isSame: true,
        isPublished: true,
      });
    const changed = await foldJournal(world);
    await deliver(world, [message(2_000, { rollback: { to: 7 } })]);
    const back = await foldJournal(world);
    const { replaced, ...weights } = back;
    expect(replaced).toEqual({ sequence: 14, to: 7 });
    expect({ ...weights, sequence: 7, nonce: old.nonce, ledger: old.ledger, learnt: 0 }).toEqual({
      ...old,
      learnt: 0,
    });
    await deliver(world, [message(2_001, { rollback: { to: 13 } })]);
    expect(await parametersNow(world)).toEqual(parametersOf(changed));
    await deliver(world, [message(2_002, { samples: [{ ...sampleOf(3), label: true }] })]);
    expect(await verifyModel(world, await modelOf(world), true)).toMatchObject({ isSame: true });
  });

  it('never knew what is retracted later, and keeps what was retracted before', async () => {
    const world = await worldWith(ticketsSpec, early);
    const retract = async (place: number) => {
      const { model } = await currentModel(world, name);
      const retraction = { messages: [sent[place]?.id ?? ''], samples: [] };
      const prepared = await prepareRetraction(world, model, retraction);
      await deliver(world, [command({ retract: prepared.retract })]);
    };
    await retract(2);
    await change(world, next);
    for (const each of late) await deliver(world, [each]);
    await retract(4);
    await retract(9);
    const kept = sent.filter((_message, place) => ![2, 4, 9].includes(place));
    const never = await foldJournal(await worldWith(next, kept));
    expect(await parametersNow(world)).toEqual(parametersOf(never));
  });
});

const sampleOf = (urgency: number) => ({ features: { urgency, team: 'red' } });

describe('a spec that says the same of weights', () => {
  it('keeps them, and goes on with its own rate and minibatch', async () => {
    const world = await worldWith(ticketsSpec, early);
    const before = await parametersNow(world);
    const prepared = await change(world, faster);
    expect(prepared).toMatchObject({ from: 'weights', to: 7 });
    expect(prepared.differences).toEqual([
      { path: 'optimizer.rate', before: 0.05, after: 0.2 },
      { path: 'online.minibatch', before: 2, after: 4 },
      { path: 'online.publishEvery', after: 3 },
    ]);
    expect(await parametersNow(world)).toEqual(before);
    // Their losses are of one kind: the scores go on.
    expect((await foldJournal(world)).scores.samples).toBe((await foldJournal(world)).learnt);
    for (const each of late) await deliver(world, [each]);
    const after = await parametersNow(world);
    expect(after.step).toBe(before.step + late.length);
    const always = await foldJournal(await worldWith(faster, sent));
    expect(after.tensors).not.toEqual(always.tensors);
    expect(await verifyModel(world, await modelOf(world), true)).toMatchObject({ isSame: true });
    // What is retracted from before it is taken out of the weights that it kept.
    const { model } = await currentModel(world, name);
    const retraction = { messages: [sent[1]?.id ?? ''], samples: [] };
    const { retract } = await prepareRetraction(world, model, retraction);
    await deliver(world, [command({ retract })]);
    const without = await worldWith(
      ticketsSpec,
      early.filter((_, i) => i !== 1),
    );
    await change(without, faster);
    for (const each of late) await deliver(without, [each]);
    expect(await parametersNow(world)).toEqual(await parametersNow(without));
  });

  it('learns the journal all the same if it is asked to', async () => {
    const world = await worldWith(ticketsSpec, early);
    expect(await change(world, faster, { isRelearnt: true })).toMatchObject({ from: 'journal' });
    for (const each of late) await deliver(world, [each]);
    const always = await foldJournal(await worldWith(faster, sent));
    expect(await parametersNow(world)).toEqual(parametersOf(always));
  });
});
