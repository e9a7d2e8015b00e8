import { describe, expect, it } from 'vitest';
import { keys } from '../../lib/bucket/keys.ts';
import { createServing } from '../../lib/serving/serve.ts';
import { createWorld, ticket, ticketsSpec } from '../support/world.ts';

const { model } = ticketsSpec;

describe('what is asked for predictions', () => {
  const long = () => 100;
  const names = Array.from({ length: 12 }, (_, i) => `${'n'.repeat(50)}${i}`);

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
      /^request\.samples: at most 10000 samples \(found \d+\)$/,
    ],
  ])('is refused with the field and the reason: %s', async (...[, request, code, reason]) => {
    const world = createWorld();
    const answer = await createServing(world)(request, long);
    expect(answer).toMatchObject({ ok: false, code, reason: expect.stringMatching(reason) });
  });

  it('has its samples as a list or as columns', async () => {
    const world = createWorld();
    const serve = createServing(world);
    const samples = [1, 2, 3].map((i) => ({ features: ticket(i).features }));
    const columns = {
      features: {
        urgency: samples.map(({ features }) => features.urgency),
        team: samples.map(({ features }) => features.team),
      },
    };
    const listed = await serve({ model, samples }, long);
    expect(listed).toMatchObject({ ok: true, predictions: { length: 3 } });
    expect(await serve({ model, columns }, long)).toEqual(listed);
    for (const [request, reason] of [
      [{ model, columns, samples }, /^request\.columns: is another name for samples/],
      [
        { model, columns: { features: { x: 1 } } },
        /^request\.columns\.features\.x: must be a list/,
      ],
      [{ model, columns: { features: { x: Array(10_001).fill(1) } } }, /at most 10000 samples/],
    ] as const)
      expect(await serve(request, long)).toMatchObject({
        code: 'malformed',
        reason: expect.stringMatching(reason),
      });
  });

  it('is bounded by the bytes of its answer', async () => {
    const classes = Array.from({ length: 5_000 }, (_, i) => `class ${i}`);
    const world = createWorld({
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

  it.each([
    ['long reasons', { features: { x: 1 } }, 10_000],
    ['names that JSON escapes', { features: Object.fromEntries(names.map((n) => [n, 1])) }, 400],
  ])('is bounded by the bytes of its answer: %s', async (_, sample, count) => {
    const classes = Array.from({ length: 100 }, (__, i) => `${'\u0001"'.repeat(60)}${i}`);
    const world = createWorld({
      model,
      task: 'multiclass',
      features: Object.fromEntries(names.map((name) => [name, { type: 'number' as const }])),
      label: { classes },
    });
    const answer = await createServing(world)({ model, samples: Array(count).fill(sample) }, long);
    expect(answer).toMatchObject({
      ok: false,
      reason: expect.stringMatching(/request\.samples: /),
    });
  });

  it('is told when S3 does not answer, and answered once it does', async () => {
    const world = createWorld();
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
