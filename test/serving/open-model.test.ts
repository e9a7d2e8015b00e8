import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { keys } from '../../lib/bucket/keys.ts';
import { currentState } from '../../lib/fold/fold.ts';
import { createModel } from '../../lib/model/model.ts';
import { predict } from '../../lib/model/predict.ts';
import { openModel } from '../../lib/serving/open-model.ts';
import { createServing } from '../../lib/serving/serve.ts';
import { defineSpec, type SpecInput } from '../../lib/spec/spec.ts';
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
    expect(await at(3)).toMatchObject({ ok: true, sequence: 3 });
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
    const answer = await opened.predict([ticket(1)], { atLeast: 4 }, () => left.shift() ?? 1);
    expect(answer).toMatchObject({ ok: false, code: 'not-reached' });
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

describe('what is asked for predictions', () => {
  const long = () => 100;

  it.each([
    ['nothing', {}, 'malformed', /request\.model: .*found nothing/],
    ['null', null, 'malformed', /request: /],
    [
      'a misspelt field',
      { model, sample: [] },
      'malformed',
      /unknown field "sample"; allowed: model, samples,/,
    ],
    [
      'no samples',
      { model, samples: [] },
      'malformed',
      /request\.samples: must hold at least one sample/,
    ],
    ['an object of samples', { model, samples: {} }, 'malformed', /request\.samples: /],
    ['a path for a model', { model: '../x', samples: [1] }, 'malformed', /request\.model: /],
    [
      'a negative age',
      { model, samples: [1], maxAgeSeconds: -1 },
      'malformed',
      /request\.maxAgeSeconds: /,
    ],
    ['half an entry', { model, samples: [1], atLeast: 1.5 }, 'malformed', /request\.atLeast/],
    [
      'an unknown model',
      { model: 'nobody', samples: [1] },
      'no-such-model',
      /there is no model nobody; create it/,
    ],
    [
      'too many samples',
      { model, samples: Array(10_001).fill(1) },
      'malformed',
      /at most 10000 samples/,
    ],
  ])('is refused with the field and the reason: %s', async (...[, request, code, reason]) => {
    const { world } = worldWithClock();
    const answer = await createServing(world)(request, long);
    expect(answer).toMatchObject({ ok: false, code, reason: expect.stringMatching(reason) });
  });

  it('is bounded by the bytes of its answer', async () => {
    const classes = Array.from({ length: 5_000 }, (_, i) => `class ${i}`);
    const { world } = worldWithClock({
      model,
      task: 'multiclass',
      features: { x: { type: 'number' } },
      label: { classes },
    });
    const serve = createServing(world);
    const samples = Array.from({ length: 100 }, () => ({ features: { x: 1 } }));
    const refused = await serve({ model, samples }, long);
    expect(refused).toMatchObject({ ok: false, reason: /at most 2\d samples with 5000 classes/ });
    const answer = await serve({ model, samples: samples.slice(0, 20) }, long);
    expect(answer.ok).toBe(true);
    expect(JSON.stringify(answer).length).toBeLessThan(6_000_000);
  });

  it('is told when S3 does not answer, and answered once it does', async () => {
    const { world } = worldWithClock();
    const serve = createServing(world);
    const request = { model, samples: [ticket(1)], maxAgeSeconds: 0 };
    expect(await serve(request, long)).toMatchObject({ ok: true });
    world.store.hook = () => {
      throw new Error('the network is gone');
    };
    await expect(serve(request, long)).rejects.toThrow('the network is gone');
    world.store.hook = () => undefined;
    expect(await serve(request, long)).toMatchObject({ ok: true });
    world.store.remove(keys.spec(model));
    expect(await serve(request, long)).toMatchObject({ code: 'no-such-model' });
  });
});
