import { describe, expect, it } from 'vitest';
import { readEntry } from '../../lib/journal/reading.ts';
import { initialState } from '../../lib/model/model.ts';
import {
  createWorld,
  deliver,
  foldJournal,
  message,
  modelOf,
  sampleMessages,
  ticketsSpec,
} from '../support/world.ts';

const messages = sampleMessages(8, 'till-1');
const rollback = (sequenceNumber: number, to: number) =>
  message(sequenceNumber, { rollback: { to } });

describe('a rollback', () => {
  it('brings back the weights of an entry and keeps the ledger', async () => {
    const world = createWorld();
    for (const each of messages.slice(0, 4)) await deliver(world, [each]);
    const early = await foldJournal(world);
    for (const each of messages.slice(4)) await deliver(world, [each]);
    const late = await foldJournal(world);
    await deliver(world, [rollback(100, 4)]);
    const state = await foldJournal(world);
    expect(state.tensors).toEqual(early.tensors);
    expect(state.step).toBe(early.step);
    expect(late.tensors).not.toEqual(early.tensors);
    expect(state.ledger.producers).toEqual(late.ledger.producers);
    expect(state.learnt).toBe(late.learnt);
    expect((await readEntry(world.store, ticketsSpec.model, 9))?.header).toMatchObject({
      kind: 'rollback',
      to: 4,
    });
    // What was settled stays settled, and the stream goes on from the old weights.
    await deliver(world, messages);
    expect((await foldJournal(world)).sequence).toBe(9);
  });

  it('to entry 0 begins anew', async () => {
    const world = createWorld();
    await deliver(world, messages);
    await deliver(world, [rollback(100, 0)]);
    const { tensors } = await foldJournal(world);
    expect(tensors).toEqual(initialState(await modelOf(world)).tensors);
  });

  it('is done once, however often it is delivered, and again by another command', async () => {
    const world = createWorld();
    await deliver(world, messages);
    for (let i = 0; i < 3; i++) await deliver(world, [rollback(100, 0)]);
    expect((await foldJournal(world)).sequence).toBe(2);
    await deliver(world, [
      rollback(101, 1),
      ...sampleMessages(1).map((each) => ({ ...each, sequenceNumber: '102' })),
    ]);
    expect((await foldJournal(world)).sequence).toBe(4);
  });
});
