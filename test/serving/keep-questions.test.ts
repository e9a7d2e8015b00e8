import { describe, expect, it } from 'vitest';
import { keys } from '../../lib/bucket/keys.ts';
import { MillraceError } from '../../lib/errors.ts';
import { limits } from '../../lib/limits.ts';
import { openModel } from '../../lib/serving/open-model.ts';
import { createServing } from '../../lib/serving/serve.ts';
import { createWorld, ticket, ticketsSpec, type World } from '../support/world.ts';

const { model } = ticketsSpec;
const { features } = ticket(1);

async function ask(world: World, samples: readonly unknown[]) {
  const answer = await createServing(world)({ model, samples }, () => 100);
  if (!answer.ok) throw new Error(answer.reason);
  return answer.predictions;
}

const kept = async ({ store }: World, id: string) => {
  const object = await store.get(keys.asked(model, id));
  return object && JSON.parse(Buffer.from(object.body).toString());
};

describe('a question with an id', () => {
  it('is answered, and kept with its answer', async () => {
    const world = createWorld();
    const [prediction] = await ask(world, [{ id: 'order 7', features }]);
    expect(prediction).toEqual({ probability: expect.any(Number) });
    expect(await kept(world, 'order 7')).toEqual({
      id: 'order 7',
      features,
      prediction,
      time: expect.stringMatching(/^2026-01-01T/),
      sequence: 0,
      spec: expect.stringMatching(/^[0-9a-f]{64}$/),
    });
  });

  it('may be asked again by a spec of more or fewer features', async () => {
    const world = createWorld();
    await ask(world, [{ id: 7, features }]);
    const { urgency } = ticketsSpec.features;
    await world.store.put(
      keys.spec(model),
      Buffer.from(JSON.stringify({ ...ticketsSpec, features: { urgency } })),
    );
    const less = { urgency: features.urgency };
    const other = { urgency: features.urgency + 1 };
    expect(await ask(world, [{ id: 7, features: less }])).toEqual([
      { probability: expect.any(Number) },
    ]);
    const [answer] = await ask(world, [{ id: 7, features: other }]);
    expect(answer).toMatchObject({
      refused: { code: 'id-taken', reason: expect.stringMatching(/\(urgency: 7, now 8\)/) },
    });
  });

  it('is refused where what is kept under its id is damaged', async () => {
    const world = createWorld();
    await world.store.put(keys.asked(model, '7'), Buffer.from('{'));
    const [answer] = await ask(world, [{ id: 7, features }]);
    expect(answer).toMatchObject({ refused: { reason: expect.stringContaining('is damaged') } });
  });

  it('is refused, and no other with it, where it is no JSON or too large to be kept', async () => {
    const world = createWorld({ ...ticketsSpec, ignore: ['note'] });
    const round: Record<string, unknown> = {};
    round.round = round;
    const questions = [round, 'x'.repeat(limits.lateBytes)].map((note, id) => ({
      id,
      features: { ...features, note },
    }));
    const opened = await openModel(world, model);
    const answer = await opened.predict([...questions, { id: 2, features }]);
    expect(answer.ok && answer.predictions).toMatchObject([
      { refused: { field: 'id', code: 'wrong-type' } },
      { refused: { field: 'id', code: 'too-large' } },
      { probability: expect.any(Number) },
    ]);
  });

  it('may be asked again, and stays as it was first', async () => {
    const world = createWorld();
    await ask(world, [{ id: 7, features }]);
    const first = await kept(world, '7');
    const again = { id: '7', features: { team: features.team, urgency: features.urgency } };
    expect(await ask(world, [again])).toEqual([{ probability: expect.any(Number) }]);
    expect(await kept(world, '7')).toEqual(first);
    // As CSV has it.
    const texts = { team: features.team, urgency: `${features.urgency}` };
    expect(await ask(world, [{ id: '7', features: texts }])).toEqual([
      { probability: expect.any(Number) },
    ]);
    expect(await kept(world, '7')).toEqual(first);
  });

  it.each<[string, unknown, string]>([
    ['other features were asked under it', { id: 7, features: ticket(2).features }, 'id-taken'],
    ['it is none', { id: { order: 7 }, features }, 'wrong-type'],
    ['it is nothing', { id: null, features }, 'wrong-type'],
    ['it is half of a character', { id: '\ud800', features }, 'wrong-type'],
  ])('is not answered where %s, as its label could never be learnt', async (_, sample, code) => {
    const world = createWorld();
    await ask(world, [{ id: 7, features }]);
    const answers = await ask(world, [sample, { features }]);
    expect(answers).toEqual([
      { refused: { field: 'id', code, reason: expect.any(String) } },
      { probability: expect.any(Number) },
    ]);
  });

  it('is not kept where it cannot be answered', async () => {
    const world = createWorld();
    const answers = await ask(world, [{ id: 7, features: { urgency: 'much', team: 'red' } }]);
    expect(answers).toMatchObject([{ refused: { field: 'features.urgency' } }]);
    expect(await kept(world, '7')).toBeUndefined();
  });

  it('is kept as a message would have brought it', async () => {
    const spec = { ...ticketsSpec, features: { at: { type: 'timestamp' } } } as const;
    const world = createWorld(spec);
    const opened = await openModel(world, model);
    await opened.predict([{ id: 7, features: { at: new Date(0) } }]);
    expect(await kept(world, '7')).toMatchObject({ features: { at: '1970-01-01T00:00:00.000Z' } });
  });

  it('is not answered while the bucket does not take it', async () => {
    const world = createWorld();
    world.store.hook = ({ operation, key }) => {
      if (operation === 'put' && key.startsWith('asked/'))
        throw new MillraceError('unavailable', 'away');
    };
    const serve = createServing(world);
    const answer = await serve({ model, samples: [{ id: 7, features }] }, () => 100);
    expect(answer).toMatchObject({ ok: false, code: 'unavailable' });
  });
});
