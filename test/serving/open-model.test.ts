import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { keys } from '../../lib/bucket/keys.ts';
import { currentState } from '../../lib/fold/fold.ts';
import { createModel } from '../../lib/model/create-model.ts';
import { predict } from '../../lib/model/predict.ts';
import { openModel } from '../../lib/serving/open-model.ts';
import { createServing } from '../../lib/serving/serve.ts';
import { defineSpec, type SpecInput } from '../../lib/spec/spec.ts';
import { slowEngine } from '../support/slow-engine.ts';
import {
  createWorld,
  deliver,
  message,
  modelOf,
  sampleMessages,
  ticket,
  ticketsSpec,
  type World,
} from '../support/world.ts';

const { model } = ticketsSpec;
const seconds = 1_000;

/** A world whose clock a test moves. */
function worldWithClock(spec: SpecInput = ticketsSpec) {
  const world = createWorld(spec);
  const clock = { now: Date.UTC(2026, 0, 1) };
  return { world: { ...world, now: () => clock.now } as World, clock };
}

/** Reads of keys with a part, from now on. */
function readsOf(world: World, part: string): string[] {
  const reads: string[] = [];
  world.store.hook = ({ operation, key, when }) =>
    void (operation === 'get' && when === 'before' && key.includes(part) && reads.push(key));
  return reads;
}

describe('an open model', () => {
  it('predicts what its newest state predicts, and says which state that is', async () => {
    const { world, clock } = worldWithClock();
    await deliver(world, sampleMessages(5));
    clock.now += 90 * seconds;
    const opened = await openModel(world, model);
    const samples = [ticket(1), { features: ticket(2).features }];
    const answer = await opened.predict(samples);
    const loaded = await modelOf(world);
    const state = await currentState(world, loaded);
    const expected = await predict(loaded, state, loaded.encoder.encodeFeatures(samples).samples);
    expect(answer).toEqual({
      ok: true,
      model,
      sequence: state.sequence,
      spec: loaded.specHash,
      time: '2026-01-01T00:00:00.000Z',
      ageSeconds: 90,
      predictions: Array.from(expected, (probability) => ({ probability })),
      unknown: {},
    });
  });

  it('answers in the place of a sample that cannot be encoded why, and predicts the others', async () => {
    const { world } = worldWithClock();
    const opened = await openModel(world, model);
    const bad = { features: { urgency: 'much', team: 'red' } };
    const answer = await opened.predict([
      bad,
      ticket(1),
      null,
      { features: { urgency: 1, team: 'green' } },
    ]);
    expect(answer).toMatchObject({
      sequence: 0,
      predictions: [
        { refused: { field: 'features.urgency', code: 'not-finite' } },
        { probability: expect.any(Number) },
        { refused: { field: 'sample', code: 'wrong-type' } },
        { probability: expect.any(Number) },
      ],
      unknown: { team: 1 },
    });
    expect(answer).not.toHaveProperty('time');
  });

  it('looks for a newer state when the last look is too old, by its ETag', async () => {
    const { world, clock } = worldWithClock();
    await deliver(world, sampleMessages(2));
    const opened = await openModel(world, model);
    await opened.predict([ticket(1)]);
    await deliver(world, [message(3, { samples: [ticket(5)] })]);
    const reads = readsOf(world, 'state.safetensors');
    const sequenceOf = async (maxAgeSeconds?: number) =>
      ((await opened.predict([ticket(1)], { maxAgeSeconds })) as { sequence: number }).sequence;
    clock.now += 5 * seconds - 1;
    expect(await sequenceOf()).toBe(1);
    expect(reads).toEqual([]);
    expect(await sequenceOf(4)).toBe(2);
    expect(reads).not.toEqual([]);
    expect(await sequenceOf(60)).toBe(2);
    clock.now -= 3_600 * seconds;
    expect(await sequenceOf()).toBe(2);
  });

  it('looks once for all who ask at the same time', async () => {
    const { world } = worldWithClock();
    await deliver(world, sampleMessages(2));
    const opened = await openModel(world, model);
    const reads = readsOf(world, 'state.safetensors');
    await Promise.all(
      Array.from({ length: 20 }, () => opened.predict([ticket(1)], { maxAgeSeconds: 0 })),
    );
    expect(reads.length).toBeLessThan(3);
  });

  it('reads its own writes: up to an entry, or to a message of a producer', async () => {
    // Published after every hundredth entry: the journal is ahead.
    const { world } = worldWithClock({
      ...ticketsSpec,
      online: { minibatch: 2, publishEvery: 100 },
    });
    const opened = await openModel(world, model);
    for (const [i, each] of sampleMessages(6, 'till').entries())
      await deliver(world, [{ ...each, sequenceNumber: String(i + 1).padStart(20, '0') }]);
    const state = await currentState(world, await modelOf(world));
    expect(state.sequence).toBe(6);
    const at = (atLeast: number | { producer: string; seq: number }) =>
      opened.predict([ticket(1)], { atLeast });
    expect(await at(3)).toMatchObject({ ok: true, sequence: 6 });
    expect(await at({ producer: 'till', seq: 6 })).toMatchObject({ ok: true, sequence: 6 });
    expect(await at(7)).toMatchObject({ ok: false, code: 'not-reached' });
    expect(await at({ producer: 'till', seq: 7 })).toEqual({
      ok: false,
      code: 'not-reached',
      reason: 'atLeast: message 7 of till is not learnt at entry 6; ask again',
    });
    // It does not go back to what is published meanwhile.
    expect(await opened.predict([ticket(1)], { maxAgeSeconds: 0 })).toMatchObject({ sequence: 6 });
  });

  it('says in time that a journal is too long to read on', async () => {
    const { world } = worldWithClock({
      ...ticketsSpec,
      online: { minibatch: 2, publishEvery: 100 },
    });
    for (let i = 1; i <= 4; i++) await deliver(world, [message(i, { samples: [ticket(i)] })]);
    const opened = await openModel(world, model);
    const left = [9, 9, 1];
    const short = () => left.shift() ?? 1;
    await expect(opened.predict([ticket(1)], {}, short)).rejects.toThrow(
      'reading the journal of tickets (entry 3 is reached): no time is left',
    );
    // What was reached is kept: the next request goes on from there.
    expect(await opened.predict([ticket(1)])).toMatchObject({ ok: true, sequence: 4 });
  });

  it('says in time that it is asked for too many samples', async () => {
    const { world, clock } = worldWithClock();
    await deliver(world, [message(1, { samples: [ticket(1)] })]);
    // Five milliseconds a sample.
    const predictRows = (rows: number) => {
      clock.now += 5 * rows;
    };
    const costs = {
      train: () => undefined,
      predict: predictRows,
      work: { predicted: 2e7, learnt: 6e7, step: 0 },
    };
    const engine = slowEngine(world.engine, costs);
    const opened = await openModel({ ...world, engine }, model);
    const until = clock.now + 30 * seconds;
    const left = () => (until - clock.now) / seconds;
    const many = Array.from({ length: 10_000 }, (_, i) => ticket(i));
    const answer = opened.predict(many, { maxAgeSeconds: 60 }, left);
    await expect(answer).rejects.toThrow(
      'predicting 10000 samples (ask for fewer at once): no time is left',
    );
    expect(left()).toBeGreaterThan(0);
    const few = await opened.predict(many.slice(0, 300), {}, () => 30);
    expect(few).toMatchObject({ ok: true, sequence: 1 });
  });

  it.each(['damaged', 'gone'])('folds the journal where the published state is %s', async (how) => {
    const { world } = worldWithClock();
    for (const each of sampleMessages(6)) await deliver(world, [each]);
    const expected = await (await openModel(world, model)).predict([ticket(1)]);
    const object = await world.store.get(keys.state(model));
    if (how === 'gone') world.store.remove(keys.state(model));
    else
      await world.store.put(keys.state(model), Buffer.from(object?.body ?? []).fill(1, 500, 501));
    expect(await (await openModel(world, model)).predict([ticket(1)])).toEqual(expected);
    // A journal that cannot be read is not believed to be short.
    await world.store.put(keys.entry(model, 6), Buffer.from('damaged'));
    const request = { model, samples: [ticket(1)] };
    expect(await createServing(world)(request, () => 100)).toMatchObject({ code: 'stopped' });
  });

  it('writes nothing, whatever the journal holds', async () => {
    const { world } = worldWithClock({
      ...ticketsSpec,
      online: { minibatch: 2, publishEvery: 100 },
    });
    for (let i = 1; i <= 5; i++) await deliver(world, [message(i, { samples: [ticket(i)] })]);
    const published = await world.store.get(keys.state(model));
    await deliver(world, [message(6, { rollback: { to: 2 } })]);
    await deliver(world, [message(7, { samples: [ticket(7)] })]);
    await world.store.put(keys.state(model), published?.body ?? new Uint8Array());
    const writes: string[] = [];
    world.store.hook = ({ operation, key }) => void (operation === 'put' && writes.push(key));
    const opened = await openModel(world, model);
    expect(await opened.predict([ticket(1)], { atLeast: 6 })).toMatchObject({
      code: 'not-reached',
    });
    expect(await opened.predict([ticket(1)])).toMatchObject({ sequence: 5 });
    expect(writes).toEqual([]);
  });

  it('never answers with less than was there when it was asked, however many ask', async () => {
    const { world } = worldWithClock();
    await deliver(world, sampleMessages(1));
    const opened = await openModel(world, model);
    const answers: Promise<unknown>[] = [];
    for (let i = 2; i <= 12; i++) {
      await deliver(world, [message(i, { samples: [ticket(i)] })]);
      const asked = i;
      answers.push(
        opened.predict([ticket(1)], { maxAgeSeconds: 0 }).then((answer) => {
          expect(answer.ok && answer.sequence).toBeGreaterThanOrEqual(asked);
        }),
      );
    }
    await Promise.all(answers);
  });

  it('is another model after it was removed and created again', async () => {
    const { world } = worldWithClock();
    await deliver(world, sampleMessages(3));
    const opened = await openModel(world, model);
    const names = [...world.store.objects.keys()];
    for (const key of names) world.store.remove(key);
    const now = { maxAgeSeconds: 0 };
    await new Promise((resolve) => setImmediate(resolve));
    await expect(opened.predict([ticket(1)], { ...now, atLeast: 99 })).rejects.toThrow(
      `there is no model ${model}`,
    );
    // With the same spec, and with another.
    await createModel(world, defineSpec(ticketsSpec));
    expect(await opened.predict([ticket(1)], { ...now, atLeast: 0 })).toMatchObject({ ok: true });
  });

  it('never answers with anything but a number, a class or a reason', async () => {
    const specs: SpecInput[] = [
      { model, task: 'regression', features: { x: { type: 'number', standardize: false } } },
      {
        model,
        task: 'multiclass',
        features: { x: { type: 'number', standardize: false } },
        label: { classes: ['a', '__proto__', 'c'] },
      },
    ];
    for (const spec of specs) {
      const { world } = worldWithClock(spec);
      const label = spec.task === 'regression' ? 3e38 : 'a';
      await deliver(world, [message(1, { samples: [{ features: { x: 2 }, label }] })]);
      const opened = await openModel(world, model);
      await fc.assert(
        fc.asyncProperty(fc.array(fc.anything(), { maxLength: 4 }), fc.double(), async (any, x) => {
          const answer = await opened.predict([...any, { features: { x } }]);
          if (!answer.ok) throw new Error(answer.reason);
          expect(answer.predictions).toHaveLength(any.length + 1);
          const read = JSON.parse(JSON.stringify(answer.predictions));
          for (const each of read) {
            if ('refused' in each) expect(each.refused.reason).not.toBe('');
            else if ('value' in each) expect(Number.isFinite(each.value)).toBe(true);
            else {
              expect(Object.keys(each.probabilities)).toEqual(['a', '__proto__', 'c']);
              expect(each.probabilities[each.class]).toBe(
                Math.max(...(Object.values(each.probabilities) as number[])),
              );
            }
          }
        }),
        { numRuns: 50 },
      );
    }
  });
});
