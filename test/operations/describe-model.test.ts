import { describe, expect, it } from 'vitest';
import { keys } from '../../lib/bucket/keys.ts';
import { exportModel } from '../../lib/export/export-model.ts';
import { readHeader } from '../../lib/journal/reading.ts';
import { backtestFrozen } from '../../lib/operations/backtest.ts';
import { prepareSpec, sendSpec } from '../../lib/operations/change-spec.ts';
import { describeModel, listModels } from '../../lib/operations/describe-model.ts';
import { prepareRetraction } from '../../lib/operations/prepare-retraction.ts';
import { verifyModel } from '../../lib/operations/verify.ts';
import { promote, runJob, start, worldWithDataset } from '../support/jobs.ts';
import {
  createWorld,
  deliver,
  message,
  modelOf,
  sampleMessages,
  ticketsSpec,
} from '../support/world.ts';

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

  it('names a report of a job that is damaged, and shows all else', async () => {
    const world = await worldWithDataset();
    await runJob(world);
    await runJob(world, { ...start, job: 'second' });
    await world.store.put(keys.progress(model, 'first'), Buffer.from('{"job": "fir'));
    const { jobs } = await describeModel(world, model);
    const reason = `${keys.progress(model, 'first')} is damaged: it is no JSON; its next report`;
    expect(jobs).toMatchObject([
      { job: 'first', status: 'unknown', reason: expect.stringContaining(reason) },
      { job: 'second', status: 'promotion-sent' },
    ]);
  });

  it('names what is gone of the spec that holds, the weights that entries need, and no bare reason', async () => {
    const world = createWorld();
    for (const each of sampleMessages(2)) await deliver(world, [each]);
    for (const units of [4, 5]) {
      const next = { ...ticketsSpec, network: { hidden: [units] } };
      await sendSpec(world, await prepareSpec(world, model, next, { isRelearnt: true }));
      await deliver(world, [message(3_000 + units, world.sentSamples.at(-1)?.body)]);
    }
    const header = await readHeader(world.store, model, 4);
    const { to, job } = header as Extract<typeof header, { kind: 'spec' }>;
    const challenger = keys.challenger(model, job);
    const weights = (await world.store.get(challenger))?.body ?? new Uint8Array();
    world.store.remove(challenger);
    await expect(verifyModel(world, await modelOf(world), true)).rejects.toThrow(
      `${challenger} is missing or was changed`,
    );
    await world.store.put(challenger, weights);
    world.store.remove(keys.laterSpec(model, to));
    await expect(describeModel(world, model)).rejects.toThrow(
      `is not in ${keys.spec(model)}, and ${keys.laterSpec(model, to)} is missing`,
    );
  });

  it('and its card say to what a rollback went back, and whether a job is in the weights', async () => {
    const world = await worldWithDataset();
    const messages = sampleMessages(3);
    for (const each of messages.slice(0, 2)) await deliver(world, [each]);
    await runJob(world);
    await promote(world);
    const cardNow = async () =>
      Buffer.from((await exportModel(world, model, 'safetensors')).files['README.md'] ?? []);
    expect(String(await cardNow())).toContain('`first`, promoted by entry 3');
    // Behind the job, back to it, and behind it again by way of what came after the first rollback.
    const steps = [
      { to: 1, hasJob: false },
      { to: 3, hasJob: true },
      { to: 4, hasJob: false },
    ];
    for (const [i, { to, hasJob }] of steps.entries()) {
      await deliver(world, [message(2_000 + i, { rollback: { to } })]);
      const sequence = 4 + i;
      const { rolledBack } = await describeModel(world, model);
      expect(rolledBack).toEqual({ sequence, to });
      const card = String(await cardNow());
      expect(card.includes('promoted by entry 3')).toBe(hasJob);
      expect(card).toContain(`entry ${sequence} went back to what entry ${to} had learnt of them`);
      expect((await verifyModel(world, await modelOf(world), true)).isSame).toBe(true);
    }
    // A spec by which the journal is learnt again has neither.
    const next = { ...ticketsSpec, network: { hidden: [4] } };
    const prepared = await prepareSpec(world, model, next, { isRelearnt: true });
    expect(prepared.leftOut).toEqual([]);
    await sendSpec(world, prepared);
    await deliver(world, [message(3_000, world.sentSamples.at(-1)?.body)]);
    const changed = String(await cardNow());
    expect(changed).not.toMatch(/promoted by entry|went back/);
    expect((await describeModel(world, model)).rolledBack).toBeUndefined();
  });

  it('and its card say which retraction left a job out, and keep one that had not learnt it', async () => {
    const world = await worldWithDataset();
    const messages = sampleMessages(5);
    for (const each of messages.slice(0, 2)) await deliver(world, [each]);
    await runJob(world);
    await promote(world);
    for (const [i, { body }] of messages.slice(2).entries())
      await deliver(world, [message(2_000 + i, body)]);
    const retract = async (number: number, entry: number) => {
      const learnt = (await readHeader(world.store, model, entry))?.messages ?? [];
      const without = { messages: learnt.map(({ id }) => id), samples: [] };
      const prepared = await prepareRetraction(world, await modelOf(world), without);
      await deliver(world, [message(number, { retract: prepared.retract })]);
      const { files } = await exportModel(world, model, 'safetensors');
      const { jobs } = await describeModel(world, model);
      return { card: String(Buffer.from(files['README.md'] ?? [])), reason: jobs[0]?.reason };
    };
    // Entry 5 was learnt behind the job, entry 2 by it as well.
    const kept = await retract(3_000, 5);
    expect(kept.card).toContain('`first`, promoted by entry 3');
    expect(kept.reason).toBe('promoted by entry 3');
    await deliver(world, [message(3_001, messages[4]?.body)]);
    const [learning] = await backtestFrozen(world, model);
    expect(learning?.samples).toBe(JSON.parse(messages[4]?.body ?? '').samples.length);
    const leftOut = await retract(3_002, 2);
    expect(leftOut.card).not.toContain('promoted by entry');
    expect(leftOut.reason).toBe('promoted by entry 3; its weights are not in place any more');
    await expect(backtestFrozen(world, model)).rejects.toThrow(
      '--frozen: entry 9 left out job first; train tickets again first',
    );
    expect((await verifyModel(world, await modelOf(world), true)).isSame).toBe(true);
  });

  it('and its card name the job before the one that a retraction left out', async () => {
    const world = await worldWithDataset();
    const messages = sampleMessages(2);
    await deliver(world, messages.slice(0, 1));
    await runJob(world);
    await promote(world);
    await deliver(world, [message(2_000, messages[1]?.body)]);
    await runJob(world, { ...start, job: 'second' });
    const sent = world.sentSamples.at(-1)?.body;
    await deliver(world, [message(2_001, sent)]);
    const headers = await Promise.all([2, 4].map((entry) => readHeader(world.store, model, entry)));
    expect(headers.map((header) => header?.kind)).toEqual(['promote', 'promote']);
    const learnt = (await readHeader(world.store, model, 3))?.messages ?? [];
    const without = { messages: learnt.map(({ id }) => id), samples: [] };
    const { retract } = await prepareRetraction(world, await modelOf(world), without);
    expect(retract.jobs).toEqual(['second']);
    await deliver(world, [message(3_000, { retract })]);
    const { files } = await exportModel(world, model, 'safetensors');
    const card = String(Buffer.from(files['README.md'] ?? []));
    expect(card).toContain('`first`, promoted by entry 2');
    await deliver(world, [message(3_001, messages[1]?.body)]);
    const [learning] = await backtestFrozen(world, model);
    expect(learning?.name).toBe('job first, learning on');
    expect((await verifyModel(world, await modelOf(world), true)).isSame).toBe(true);
  });

  it('and its card say to what a rollback went back when samples were unlearnt since', async () => {
    const world = createWorld();
    const messages = sampleMessages(4);
    for (const each of messages.slice(0, 3)) await deliver(world, [each]);
    await deliver(world, [message(2_000, { rollback: { to: 1 } })]);
    await deliver(world, [message(2_001, messages[3]?.body)]);
    // What came behind the rollback, and what the weights that came back had learnt.
    for (const [i, entry] of [5, 1].entries()) {
      const learnt = (await readHeader(world.store, model, entry))?.messages ?? [];
      const without = { messages: learnt.map(({ id }) => id), samples: [] };
      const { retract } = await prepareRetraction(world, await modelOf(world), without);
      await deliver(world, [message(3_000 + i, { retract })]);
      expect(await describeModel(world, model)).toMatchObject({
        rolledBack: { sequence: 4, to: 1 },
        retractions: i + 1,
      });
      const { files } = await exportModel(world, model, 'safetensors');
      const card = String(Buffer.from(files['README.md'] ?? []));
      expect(card).toContain(
        'entry 4 went back to what entry 1 had learnt of them; entry 6 unlearnt',
      );
      expect((await verifyModel(world, await modelOf(world), true)).isSame).toBe(true);
    }
  });

  it('and its card say it where a job that came behind the rollback is left out', async () => {
    const world = await worldWithDataset();
    const messages = sampleMessages(4);
    for (const each of messages.slice(0, 3)) await deliver(world, [each]);
    await deliver(world, [message(2_000, { rollback: { to: 2 } })]);
    await deliver(world, [message(2_001, messages[3]?.body)]);
    await runJob(world);
    await deliver(world, [message(2_002, world.sentSamples.at(-1)?.body)]);
    expect((await describeModel(world, model)).rolledBack).toBeUndefined();
    const learnt = (await readHeader(world.store, model, 1))?.messages ?? [];
    const without = { messages: learnt.map(({ id }) => id), samples: [] };
    const { retract } = await prepareRetraction(world, await modelOf(world), without);
    expect(retract.jobs).toEqual(['first']);
    await deliver(world, [message(3_000, { retract })]);
    expect(await describeModel(world, model)).toMatchObject({
      rolledBack: { sequence: 4, to: 2 },
      retractions: 1,
    });
    expect((await verifyModel(world, await modelOf(world), true)).isSame).toBe(true);
  });

  it('is shown without a history where it has none', async () => {
    expect(await describeModel(createWorld(), model)).toMatchObject({ sequence: 0, learnt: 0 });
  });
});
