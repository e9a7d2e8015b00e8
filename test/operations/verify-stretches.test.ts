import { describe, expect, it } from 'vitest';
import { keys } from '../../lib/bucket/keys.ts';
import {
  joinOutcomes,
  runSoFar,
  type VerificationRun,
} from '../../lib/operations/stretch-outcomes.ts';
import { verifyModel } from '../../lib/operations/verify.ts';
import {
  parseStretchRequest,
  startVerification,
  verifyStretch,
} from '../../lib/operations/verify-stretches.ts';
import type { Ports } from '../../lib/ports/ports.ts';
import {
  createWorld,
  deliver,
  message,
  modelOf,
  published,
  sampleMessages,
  ticketsSpec,
  type World,
} from '../support/world.ts';

const { model } = ticketsSpec;
const spec = { ...ticketsSpec, online: { minibatch: 2, replay: { ratio: 1, size: 5 } } };

/** A world that learnt 26 entries, of which each sixth is kept. */
async function learntWorld(): Promise<World> {
  const world = createWorld(spec, { keptCheckpointEntries: 6 });
  for (const each of sampleMessages(25)) await deliver(world, [each]);
  await deliver(world, [message(100, { rollback: { to: 9 } })]);
  return world;
}

/** Starts a run; the machine's requests are answered by hand, in any order. */
async function started(world: World): Promise<VerificationRun> {
  const inputs: string[] = [];
  const ports: Ports = {
    ...world,
    startVerification: async ({ input }) => void inputs.push(input),
  };
  const run = await startVerification(ports, await modelOf(world));
  const { plan } = JSON.parse(inputs[0] ?? '');
  const items = JSON.parse(Buffer.from((await world.store.get(plan))?.body ?? []).toString());
  expect(items).toEqual(run.stretches);
  return run;
}

/** Folds a stretch in invocations that have time for so many entries each. */
async function fold(world: World, run: VerificationRun, place: number, entries = 1_000) {
  const stretch = run.stretches[place];
  const request = parseStretchRequest({ model, run: run.run, stretch });
  let invocations = 0;
  for (let isDone = false; !isDone; invocations++) {
    let left = entries;
    ({ isDone } = await verifyStretch(world, request, () => (left-- > 1 ? 100 : 0)));
    if (invocations > 100) throw new Error('it makes no progress');
  }
  return invocations;
}

async function verdictOf(world: World, run: VerificationRun) {
  const { outcomes } = await runSoFar(world.store, run);
  return joinOutcomes(run, outcomes);
}

describe('a journal that is verified side by side', () => {
  it('comes to what it comes to in one go, in whatever order, cut wherever, and twice', async () => {
    const world = await learntWorld();
    const whole = await verifyModel(world, await modelOf(world), true);
    expect(whole.stretches.map(({ from, to }) => [from, to])).toEqual([
      [0, 6],
      [6, 12],
      [12, 18],
      [18, 24],
      [24, 26],
    ]);
    const run = await started(world);
    expect((await runSoFar(world.store, run)).isOver).toBe(false);
    expect(await fold(world, run, 3, 1)).toBe(6);
    expect(await fold(world, run, 0, 4)).toBe(2);
    for (const place of [4, 1, 2, 0]) await fold(world, run, place);
    const { isOver, entries } = await runSoFar(world.store, run);
    expect({ isOver, entries }).toEqual({ isOver: true, entries: 26 });
    expect(await verdictOf(world, run)).toEqual({ ...whole, failures: [] });
    expect(whole.isSame).toBe(true);
  });

  it('goes on while the model learns, and says what it was when it began', async () => {
    const world = await learntWorld();
    const run = await started(world);
    for (const [i, { body }] of sampleMessages(4).entries())
      await deliver(world, [message(200 + i, body)]);
    expect((await published(world)).sequence).toBe(30);
    for (const each of run.stretches.keys()) await fold(world, run, each);
    expect(await verdictOf(world, run)).toMatchObject({ isSame: true, to: 26 });
  });

  it('finds the stretch whose stored state is not its fold', async () => {
    const world = await learntWorld();
    const [six, twelve] = [6, 12].map((entry) => keys.checkpoint(model, entry));
    const other = createWorld(spec, { keptCheckpointEntries: 6 });
    const wrong = sampleMessages(25).toReversed();
    for (const [i, each] of wrong.entries()) await deliver(other, [message(i + 1, each.body)]);
    const body = (await other.store.get(twelve ?? ''))?.body ?? new Uint8Array();
    expect(six).toBeDefined();
    world.store.remove(twelve ?? '');
    await world.store.put(twelve ?? '', body);
    const run = await started(world);
    for (const each of run.stretches.keys()) await fold(world, run, each);
    const verdict = await verdictOf(world, run);
    expect(verdict.isSame).toBe(false);
    const wrongOnes = verdict.stretches.filter((each) => each.verdict === 'different');
    expect(wrongOnes.map(({ to }) => to)).toEqual([12, 18]);
  });

  it('ends at the published state, where none is kept', async () => {
    const world = createWorld(spec);
    for (const each of sampleMessages(4)) await deliver(world, [each]);
    const run = await started(world);
    for (const each of run.stretches.keys()) await fold(world, run, each);
    const found = { from: 0, to: 4, isSame: true, damagedStates: [], failures: [] };
    expect(await verdictOf(world, run)).toMatchObject(found);
  });

  it('names a kept state that is damaged, folds on without it, and says nothing twice', async () => {
    const world = await learntWorld();
    const whole = await verifyModel(world, await modelOf(world), true);
    const run = await started(world);
    const twelve = keys.checkpoint(model, 12);
    world.store.remove(twelve);
    await world.store.put(twelve, Buffer.from('no state'));
    for (const each of run.stretches.keys()) await fold(world, run, each);
    const verdict = await verdictOf(world, run);
    expect(verdict.stretches.map(({ from, to }) => [from, to])).toEqual([
      [0, 6],
      [6, 18],
      [18, 24],
      [24, 26],
    ]);
    const found = { isSame: false, damagedStates: [12], failures: [] };
    expect(verdict).toMatchObject({ ...found, samples: whole.samples });
  });

  it('says of which stretches nothing is known, and why', async () => {
    const world = await learntWorld();
    const run = await started(world);
    world.store.remove(keys.entry(model, 15));
    for (const each of [0, 1, 2, 4]) await fold(world, run, each);
    await verifyStretch(world, { model, run: run.run }, () => 100);
    expect((await runSoFar(world.store, run)).isOver).toBe(true);
    const { isSame, failures } = await verdictOf(world, run);
    expect({ isSame, failures }).toEqual({
      isSame: false,
      failures: [
        { from: 12, to: 18, reason: expect.stringMatching(/000000000015 is missing/) },
        { from: 18, to: 24, reason: expect.stringMatching(/nobody could fold it/) },
      ],
    });
  });

  it('starts a stretch again whose state on the way is damaged', async () => {
    const world = await learntWorld();
    const run = await started(world);
    const [, stretch] = run.stretches;
    let left = 3;
    const request = { model, run: run.run, ...(stretch && { stretch }) };
    await verifyStretch(world, request, () => (left-- > 1 ? 100 : 0));
    const state = keys.verified(model, run.run, '12-state.safetensors');
    await world.store.put(state, Buffer.from('damaged'));
    for (const each of run.stretches.keys()) await fold(world, run, each);
    expect(await verdictOf(world, run)).toMatchObject({ isSame: true });
  });

  it('is refused where nobody can do it, or nothing was learnt', async () => {
    const world = await learntWorld();
    await expect(startVerification(world, await modelOf(world))).rejects.toThrow(
      'no state machine that verifies',
    );
    const empty = createWorld(spec);
    const ports = { ...empty, startVerification: async () => undefined };
    await expect(startVerification(ports, await modelOf(empty))).rejects.toThrow(
      'has learnt nothing yet',
    );
  });
});
