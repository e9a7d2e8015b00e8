import { describe, expect, it } from 'vitest';
import { currentState } from '../../lib/fold/fold.ts';
import { meanLoss, score } from '../../lib/metrics/scores.ts';
import { predict } from '../../lib/model/predict.ts';
import { backtest, backtestFrozen, gridOf } from '../../lib/operations/backtest.ts';
import { prepareRetraction } from '../../lib/operations/prepare-retraction.ts';
import type { SpecInput } from '../../lib/spec/spec.ts';
import { promote, runJob, worldWithDataset } from '../support/jobs.ts';
import {
  createWorld,
  deliver,
  message,
  modelOf,
  sampleMessages,
  ticketsSpec,
} from '../support/world.ts';

const messages = sampleMessages(24);

async function learntWorld(spec: SpecInput = ticketsSpec) {
  const world = createWorld(spec);
  for (const each of messages) await deliver(world, [each]);
  return world;
}

describe('a backtest', () => {
  it('says of the model itself what its stream earned, and changes nothing', async () => {
    const world = await learntWorld();
    const before = new Map(world.store.objects);
    const [own] = await backtest(world, ticketsSpec.model, []);
    const { scores, prior } = await currentState(world, await modelOf(world));
    expect(own).toMatchObject({ name: 'tickets as it is', samples: 60, refused: 0 });
    expect(own?.lossSpread).toBeUndefined();
    expect(own?.loss).toBe(meanLoss(scores));
    expect(own?.baselineLoss).toBe((prior?.loss ?? 0) / scores.weight);
    expect(own?.accuracy).toBe(scores.correct / scores.weight);
    expect([...world.store.objects.keys()]).toEqual([...before.keys()]);
  });

  it('says of another spec what it would have earned if it had been declared', async () => {
    const world = await learntWorld();
    const other: SpecInput = { ...ticketsSpec, online: { minibatch: 1 }, network: { hidden: [] } };
    const [, found] = await backtest(world, ticketsSpec.model, [{ name: 'other', spec: other }]);
    const { scores } = await currentState(
      await learntWorld(other),
      await modelOf(await learntWorld(other)),
    );
    expect(found).toMatchObject({ name: 'other', samples: 60 });
    expect(found?.loss).toBe(meanLoss(scores));
  });

  it('counts what a spec cannot learn, leaves out what was retracted, and keeps to its entries', async () => {
    const world = await learntWorld();
    const colours: SpecInput = {
      ...ticketsSpec,
      features: { ...ticketsSpec.features, more: { type: 'number' } },
    };
    const some = await backtest(world, 'tickets', [{ name: 'more', spec: colours }], {
      from: 2,
      to: 3,
      seeds: 2,
    });
    expect(some.map(({ samples, refused }) => [samples, refused])).toEqual([
      [5, 0],
      [0, 5],
    ]);
    const [second] = messages.slice(1);
    const retraction = { messages: [second?.id ?? ''], samples: [] };
    const { retract } = await prepareRetraction(world, await modelOf(world), retraction);
    await deliver(world, [message(100, { retract })]);
    const [without] = await backtest(world, 'tickets', []);
    expect(without?.samples).toBe(58);
  });

  it('holds the last batch job against itself, frozen', async () => {
    const world = await worldWithDataset();
    for (const each of messages.slice(0, 8)) await deliver(world, [each]);
    await expect(backtestFrozen(world, 'tickets')).rejects.toThrow(/no batch job.*train it first/);
    await runJob(world);
    await promote(world);
    const model = await modelOf(world);
    const promoted = await currentState(world, model);
    await expect(backtestFrozen(world, 'tickets')).rejects.toThrow(
      /nothing since job first \(entry 9\)/,
    );
    // (A promotion has a high sequence number.)
    for (const [i, { body }] of messages.slice(8).entries())
      await deliver(world, [message(2_000 + i, JSON.parse(body))]);
    const state = await currentState(world, model);
    const later = messages.slice(8).map(({ body }) => JSON.parse(body).samples);
    const { samples } = model.encoder.encode(later.flat());
    const predictions = await predict(model, promoted, samples);

    const [learning, frozen] = await backtestFrozen(world, 'tickets');
    const since = state.scores.loss - promoted.scores.loss;
    expect(learning?.samples).toBe(state.learnt - promoted.learnt);
    expect(learning?.loss).toBeCloseTo(since / (state.scores.weight - promoted.scores.weight), 9);
    expect(frozen?.loss).toBeCloseTo(meanLoss(score(model.spec, predictions, samples)), 9);
    expect(frozen?.samples).toBe(learning?.samples);
    expect((await backtestFrozen(world, 'tickets', { to: 10 }))[1]?.samples).toBeLessThan(
      frozen?.samples ?? 0,
    );
    await expect(backtestFrozen(world, 'tickets', { to: 9 })).rejects.toThrow(/--to: .* from 10/);
  });

  it('begins behind a rollback, and is refused if that went behind the job', async () => {
    const world = await worldWithDataset();
    await deliver(world, [messages[0] as (typeof messages)[number]]);
    await runJob(world);
    await promote(world);
    let number = 2_000;
    const send = async (body: unknown) => deliver(world, [message(number++, body)]);
    const bodies = messages.slice(8).map(({ body }) => JSON.parse(body));
    for (const body of bodies.slice(0, 4)) await send(body);
    await send({ rollback: { to: 3 } });
    const before = await currentState(world, await modelOf(world));
    for (const body of bodies.slice(4, 7)) await send(body);
    const state = await currentState(world, await modelOf(world));
    const [learning] = await backtestFrozen(world, 'tickets');
    expect(learning?.samples).toBe(state.learnt - before.learnt);
    const loss =
      (state.scores.loss - before.scores.loss) / (state.scores.weight - before.scores.weight);
    expect(learning?.loss).toBeCloseTo(loss, 9);
    await send({ rollback: { to: 1 } });
    await expect(backtestFrozen(world, 'tickets')).rejects.toThrow(/rolled tickets back behind/);
  });

  it('tells seeds apart', async () => {
    const [own] = await backtest(await learntWorld(), 'tickets', [], { seeds: 3 });
    expect(own?.lossSpread).toBeGreaterThan(0);
  });

  it('of a regression shows errors in the own unit', async () => {
    const world = createWorld({ ...ticketsSpec, task: 'regression', loss: undefined });
    const samples = [3, 5].map((label) => ({ features: { urgency: 1, team: 'red' }, label }));
    await deliver(world, [message(1, { samples })]);
    const [own] = await backtest(world, 'tickets', []);
    expect(own?.meanAbsoluteError).toBeGreaterThan(0);
    expect(own?.accuracy).toBeUndefined();
  });

  it('refuses another task, and entries that there are none of', async () => {
    const world = await learntWorld();
    const regression: SpecInput = { ...ticketsSpec, task: 'regression', loss: undefined };
    const other = backtest(world, 'tickets', [{ name: 'o.json', spec: regression }]);
    await expect(other).rejects.toThrow("o.json: task: the model's is binary (found regression)");
    await expect(backtest(world, 'tickets', [], { from: 99 })).rejects.toThrow(
      '--from: the journal of tickets has entries 1 to 24 (found 99)',
    );
    await expect(backtest(world, 'none', [])).rejects.toThrow('there is no model none');
  });
});

describe('a grid', () => {
  it('is each combination of its values', () => {
    const found = gridOf(ticketsSpec, ['online.rate=0.1,0.03', 'network.hidden=[],[8,4]']);
    expect(found.map(({ name }) => name)).toEqual([
      'online.rate=0.1 network.hidden=[]',
      'online.rate=0.1 network.hidden=[8,4]',
      'online.rate=0.03 network.hidden=[]',
      'online.rate=0.03 network.hidden=[8,4]',
    ]);
    expect(found[3]?.spec).toMatchObject({
      online: { rate: 0.03, minibatch: 2 },
      network: { hidden: [8, 4], activation: 'tanh' },
    });
    expect(gridOf(ticketsSpec, ['engine=onnx,tfjs']).map(({ spec }) => spec.engine)).toEqual([
      'onnx',
      'tfjs',
    ]);
    // What is no JSON is a text, and leaves the others what they are: the refusal names it.
    const rates = gridOf(ticketsSpec, ['optimizer.rate=0.1,abc']).map(({ name }) => name);
    expect(rates).toEqual(['optimizer.rate=0.1', 'optimizer.rate="abc"']);
  });

  it.each([
    [['online.rate'], '--grid: must be path=value,value'],
    [
      ['seed=1,2,3,4,5,6,7,8,9', 'online.minibatch=1,2,3,4,5,6,7,8,9'],
      'at most 64 combinations (found 81)',
    ],
    [
      Array.from({ length: 9 }, (_, i) => `online.rate${i}=${Array.from({ length: 40 }).fill(1)}`),
      '--grid: at most 64 combinations (found 262144000000000)',
    ],
  ])('is refused: %j', (grid, reason) => {
    expect(() => gridOf(ticketsSpec, grid)).toThrow(reason);
  });

  it('reaches features of any name', () => {
    const odd = ['a.b=1', 'a', 'a.b', 'x/y (z)', '2'];
    const features = Object.fromEntries(
      odd.map((name) => [name, { type: 'category' as const, buckets: 8, dimensions: 1 }]),
    );
    for (const name of odd) {
      const found = gridOf({ ...ticketsSpec, features }, [`features.${name}.dimensions=2,3`]);
      expect(found.map(({ spec }) => spec.features[name])).toEqual([
        { type: 'category', buckets: 8, dimensions: 2 },
        { type: 'category', buckets: 8, dimensions: 3 },
      ]);
    }
  });
});
