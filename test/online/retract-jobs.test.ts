import { describe, expect, it } from 'vitest';
import { type Retraction, sampleHash } from '../../lib/fold/exclusions.ts';
import { runSlice } from '../../lib/jobs/slice.ts';
import { readEntry } from '../../lib/journal/reading.ts';
import { findRetracted, prepareRetraction } from '../../lib/operations/prepare-retraction.ts';
import { promote, runJob, start, worldWithDataset } from '../support/jobs.ts';
import {
  deliver,
  foldJournal,
  message,
  modelOf,
  sampleMessages,
  ticket,
  ticketsSpec,
  type World,
} from '../support/world.ts';

const { model } = ticketsSpec;
const messages = sampleMessages(6, 'till-1');
const [poison] = messages.slice(2);
const retraction: Retraction = { messages: [poison?.id ?? ''], samples: [] };

async function retract(world: World, sequenceNumber: number, what = retraction) {
  const { retract: command } = await prepareRetraction(world, await modelOf(world), what);
  await deliver(world, [message(sequenceNumber, { retract: command })]);
  return foldJournal(world);
}

async function deliverEach(world: World, some: readonly (typeof poison)[]) {
  for (const one of some) if (one !== undefined) await deliver(world, [one]);
}

describe('a retraction after a batch job', () => {
  it('leaves out a promotion that had learnt the message, names its job, and keeps the stream', async () => {
    const world = await worldWithDataset();
    await deliverEach(world, messages.slice(0, 4));
    await runJob(world);
    await promote(world);
    await deliverEach(world, messages.slice(4));
    const state = await retract(world, 2_000);
    const { header } = (await readEntry(world.store, model, 8)) ?? {};
    expect(header).toMatchObject({
      kind: 'retract',
      from: 3,
      without: { messages: [poison?.id], jobs: ['first'] },
    });
    const alone = await worldWithDataset();
    await deliverEach(
      alone,
      messages.filter((each) => each !== poison),
    );
    expect(state.tensors).toEqual((await foldJournal(alone)).tensors);
    expect(state.learnt).toBe(13);
  });

  it('keeps a promotion whose job had not learnt the message', async () => {
    const [world, alone] = [await worldWithDataset(), await worldWithDataset()];
    for (const [each, sent] of [
      [world, messages],
      [alone, messages.filter((one) => one !== poison)],
    ] as const) {
      await deliverEach(each, sent.slice(0, 2));
      await runJob(each);
      // It arrives after the job has ended, and before its promotion is settled.
      await deliverEach(each, sent.slice(2, 4));
      await promote(each);
      await deliverEach(each, sent.slice(4));
    }
    const state = await retract(world, 2_000);
    const { header } = (await readEntry(world.store, model, 8)) ?? {};
    expect(header).toMatchObject({ kind: 'retract', from: 3, without: { jobs: [] } });
    expect(state.promoted?.job).toBe('first');
    expect(state.tensors).toEqual((await foldJournal(alone)).tensors);
  });

  it('keeps a promotion of a job that began behind a rollback over the message', async () => {
    const world = await worldWithDataset();
    await deliverEach(world, messages.slice(0, 3));
    await deliver(world, [message(900, { rollback: { to: 2 } })]);
    await runJob(world);
    await promote(world);
    const before = await foldJournal(world);
    expect((await findRetracted(world, await modelOf(world), retraction)).jobs).toEqual([]);
    expect((await retract(world, 2_000)).tensors).toEqual(before.tensors);
  });

  it('names a job that it leaves out once', async () => {
    const world = await worldWithDataset();
    await deliverEach(world, messages.slice(0, 4));
    await runJob(world);
    await promote(world);
    await retract(world, 2_000);
    const other = { messages: [messages[0]?.id ?? ''], samples: [] };
    expect((await findRetracted(world, await modelOf(world), other)).jobs).toEqual([]);
    const state = await retract(world, 2_001, other);
    const alone = await worldWithDataset();
    await deliverEach(alone, [messages[1], messages[3]]);
    expect(state.tensors).toEqual((await foldJournal(alone)).tensors);
  });

  it('keeps a promotion that came after what was retracted before', async () => {
    const world = await worldWithDataset();
    await deliverEach(world, messages.slice(0, 5));
    await retract(world, 2_000);
    await runJob(world);
    await promote(world, 2_001);
    const before = await foldJournal(world);
    expect(before.promoted?.job).toBe('first');
    await expect(retract(world, 2_002)).rejects.toThrow(
      'tickets has unlearnt all of these samples before',
    );
    // With another message, which came after the job: the promotion stays.
    await deliverEach(world, messages.slice(5));
    const [last] = messages.slice(5);
    const both = { messages: [poison?.id ?? '', last?.id ?? ''], samples: [] };
    const state = await retract(world, 2_003, both);
    expect(state.tensors).toEqual(before.tensors);
    const found = findRetracted(world, await modelOf(world), {
      messages: [messages[0]?.id ?? ''],
      samples: [],
    });
    // What it would leave out is known before anything is folded.
    expect(await found).toMatchObject({ samples: 1, jobs: ['first'] });
  });

  it('leaves out a job that began with new weights only if it had learnt the message', async () => {
    for (const [began, dataset, isLeftOut] of [
      [4, 'past', false],
      [4, 'journal', true],
      [2, 'past', true],
    ] as const) {
      const world = await worldWithDataset({
        ...ticketsSpec,
        batch: { epochs: 30, slice: { epochs: 1 }, validation: 0 },
      });
      await deliverEach(world, messages.slice(0, began));
      await runJob(world, { ...start, dataset, start: 'fresh' }, undefined, () =>
        deliverEach(world, messages.slice(began)),
      );
      await promote(world);
      await retract(world, 2_000);
      const { header } = (await readEntry(world.store, model, 8)) ?? {};
      expect(header, `${began} ${dataset}`).toMatchObject({
        kind: 'retract',
        without: { jobs: isLeftOut ? ['first'] : [] },
      });
    }
  });

  it('holds for jobs that come later, but not for the same sample that comes again', async () => {
    const world = await worldWithDataset();
    await deliver(world, [message(1, { samples: [ticket(1), ticket(2)] })]);
    await retract(world, 2, { messages: [], samples: [sampleHash(ticket(1))] });
    await deliver(world, [message(3, { samples: [ticket(1), ticket(3)] })]);
    const { rows } = await runSlice(
      world,
      { ...start, dataset: 'journal', job: 'nightly', start: 'fresh' },
      () => 100,
    );
    expect(rows).toBe(3);
    // Another retraction of something else unlearns neither of the two that are left.
    const before = await foldJournal(world);
    const { tensors } = await retract(world, 4, { messages: [], samples: [sampleHash(ticket(3))] });
    await deliver(world, [message(5, { samples: [ticket(3)] })]);
    expect(tensors).not.toEqual(before.tensors);
    const alone = await worldWithDataset();
    await deliver(alone, [
      message(1, { samples: [ticket(2)] }),
      message(2, { samples: [ticket(1)] }),
    ]);
    expect(tensors).toEqual((await foldJournal(alone)).tensors);
  });
});
