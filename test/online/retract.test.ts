import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { keys } from '../../lib/bucket/keys.ts';
import { type Retraction, sampleHash } from '../../lib/fold/exclusions.ts';
import { readQuarantine } from '../../lib/journal/quarantine.ts';
import { readEntry } from '../../lib/journal/reading.ts';
import type { Message } from '../../lib/online/messages.ts';
import { prepareRetraction } from '../../lib/operations/prepare-retraction.ts';
import { chooseRetraction } from '../../lib/operations/retract.ts';
import type { SpecInput } from '../../lib/spec/spec.ts';
import type { State } from '../../lib/state/state.ts';
import {
  createWorld,
  deliver,
  foldJournal,
  message,
  modelOf,
  sampleMessages,
  ticketsSpec,
  type World,
} from '../support/world.ts';

const messages = sampleMessages(8, 'till-1');
const samplesOf = ({ body }: Message) => JSON.parse(body).samples as unknown[];

async function worldWith(learnt: readonly Message[]): Promise<World> {
  const world = createWorld();
  for (const each of learnt) await deliver(world, [each]);
  return world;
}

async function retract(
  world: World,
  sequenceNumber: number,
  retraction: Retraction,
): Promise<State> {
  const { retract: command } = await prepareRetraction(world, await modelOf(world), retraction);
  await deliver(world, [message(sequenceNumber, { retract: command })]);
  return foldJournal(world);
}

describe('a retraction', () => {
  it('leaves the weights as if the message had never come, and the ledger as it was', async () => {
    const world = await worldWith(messages);
    const { ledger } = await foldJournal(world);
    const [third] = messages.slice(2);
    const state = await retract(world, 100, { messages: [third?.id ?? ''], samples: [] });
    const without = await foldJournal(await worldWith(messages.filter((each) => each !== third)));
    expect(state.tensors).toEqual(without.tensors);
    expect(state.statistics).toEqual(without.statistics);
    expect(state.ledger.producers).toEqual(ledger.producers);
    const entry = await readEntry(world.store, ticketsSpec.model, 9);
    expect(entry?.header).toMatchObject({
      kind: 'retract',
      from: 3,
      without: { messages: [third?.id] },
    });
    // The retracted message does not come back with a redelivery.
    await deliver(world, messages);
    expect((await foldJournal(world)).tensors).toEqual(without.tensors);
  });

  it('is refused while spec.json holds another spec, and no weights are made with it', async () => {
    const world = await worldWith(messages);
    const key = keys.spec(ticketsSpec.model);
    const before = [...world.store.objects.keys()];
    await world.store.put(key, Buffer.from(JSON.stringify({ ...ticketsSpec, seed: 99 })));
    const retraction = { messages: [messages[0]?.id ?? ''], samples: [] };
    const prepared = prepareRetraction(world, await modelOf(world), retraction);
    await expect(prepared).rejects.toMatchObject({ code: 'spec-changed' });
    expect([...world.store.objects.keys()]).toEqual(before);
  });

  it('unlearns single samples by their content', async () => {
    const world = await worldWith(messages);
    const [poison, ...rest] = samplesOf(messages[3] ?? message(0, {}));
    const state = await retract(world, 100, { messages: [], samples: [sampleHash(poison)] });
    const cleaned = messages.map((each, i) =>
      i === 3
        ? { ...each, body: JSON.stringify({ producer: 'till-1', seq: 4, samples: rest }) }
        : each,
    );
    expect(state.tensors).toEqual((await foldJournal(await worldWith(cleaned))).tensors);
  });

  it('learns what arrived meanwhile, and holds after another one and a rollback', async () => {
    const world = await worldWith(messages.slice(0, 6));
    const model = await modelOf(world);
    const first = { messages: [messages[1]?.id ?? ''], samples: [] };
    const { retract: command } = await prepareRetraction(world, model, first);
    for (const each of messages.slice(6)) await deliver(world, [each]);
    await deliver(world, [message(100, { retract: command })]);
    await deliver(world, [message(101, { rollback: { to: 9 } })]);
    const state = await retract(world, 102, { messages: [messages[4]?.id ?? ''], samples: [] });
    const kept = messages.filter((_, i) => i !== 1 && i !== 4);
    expect(state.tensors).toEqual((await foldJournal(await worldWith(kept))).tensors);
  });

  it('is refused where its weights are not there, or another one came in between', async () => {
    const world = await worldWith(messages);
    const model = await modelOf(world);
    const [one, two] = [
      { messages: [messages[1]?.id ?? ''], samples: [] },
      { messages: [messages[2]?.id ?? ''], samples: [] },
    ];
    const first = await prepareRetraction(world, model, one);
    const second = await prepareRetraction(world, model, two);
    await deliver(world, [message(100, { retract: first.retract })]);
    const { tensors } = await foldJournal(world);
    expect(await deliver(world, [message(101, { retract: second.retract })])).toMatchObject({
      settled: 1,
    });
    const wrong = {
      retract: { job: 'none', digest: '0'.repeat(64), from: 1, messages: [], samples: [] },
    };
    expect(await deliver(world, [message(103, wrong)])).toMatchObject({ settled: 1 });
    expect((await foldJournal(world)).tensors).toEqual(tensors);
    const quarantined = await world.store.list(`models/${ticketsSpec.model}/quarantine/`);
    expect(quarantined).toHaveLength(2);
  });

  it('is not undone by a rollback, which is refused with the way that is left', async () => {
    const world = await worldWith(messages);
    const poison = { messages: [messages[2]?.id ?? ''], samples: [] };
    const { tensors } = await retract(world, 100, poison);
    await deliver(world, [message(101, { rollback: { to: 5 } })]);
    expect((await foldJournal(world)).tensors).toEqual(tensors);
    const [refused] = await readQuarantine(world.store, ticketsSpec.model);
    expect(refused?.refused[0]).toMatchObject({
      field: 'rollback.to',
      reason:
        'entry 9 retracted samples that entry 5 may have learnt; go back to entry 9 or a later one, or to one before 3',
    });
    await deliver(world, [message(102, { rollback: { to: 2 } })]);
    const early = await foldJournal(await worldWith(messages.slice(0, 2)));
    expect((await foldJournal(world)).tensors).toEqual(early.tensors);
    await deliver(world, [message(103, { rollback: { to: 9 } })]);
    expect((await foldJournal(world)).tensors).toEqual(tensors);
  });

  it('does not undo a rollback that came before it', async () => {
    const world = await worldWith(messages);
    const poison = { messages: [messages[1]?.id ?? ''], samples: [] };
    const { retract: command } = await prepareRetraction(world, await modelOf(world), poison);
    await deliver(world, [message(100, { rollback: { to: 4 } })]);
    const { tensors } = await foldJournal(world);
    await deliver(world, [message(101, { retract: command })]);
    expect((await foldJournal(world)).tensors).toEqual(tensors);
    const [refused] = await readQuarantine(world.store, ticketsSpec.model);
    expect(refused?.refused[0]?.reason).toMatch(/entry 9 \(rollback\) put other weights in place/);
    // Prepared again, it unlearns from the weights that the rollback brought back.
    const { tensors: cleaned } = await retract(world, 102, poison);
    const kept = messages.slice(0, 4).filter((_, i) => i !== 1);
    expect(cleaned).toEqual((await foldJournal(await worldWith(kept))).tensors);
  });

  it('of a file that has none of its columns is told', async () => {
    const world = await worldWith(messages);
    const file = join(mkdtempSync(join(tmpdir(), 'millrace-retract-')), 'other.csv');
    writeFileSync(file, 'price,late\n3,true\n');
    const chosen = chooseRetraction(world, ticketsSpec.model, { by: 'samples', file });
    await expect(chosen).rejects.toThrow(
      'has none of the columns that tickets learns from, such as urgency, team; name a file',
    );
  });

  it('of a file finds samples that name no column of their own', async () => {
    const { features: _, ...bare } = ticketsSpec;
    const lags = { ...bare, features: { before: { type: 'lag', steps: [1] } } } as SpecInput;
    const world = createWorld(lags);
    const samples = [true, false, true].map((label) => ({ features: {}, label }));
    await deliver(world, [message(1, { samples })]);
    const file = join(mkdtempSync(join(tmpdir(), 'millrace-retract-')), 'sent.jsonl');
    writeFileSync(file, '{"features":{},"label":true}\n{"label":false}\nno\n');
    const choice = { by: 'samples', file } as const;
    const { found, bad } = await chooseRetraction(world, ticketsSpec.model, choice);
    expect(found.samples).toBe(3);
    expect(bad).toMatchObject([{ line: 3 }]);
  });

  it('of what the journal does not hold is an error', async () => {
    const world = await worldWith(messages);
    const nothing = prepareRetraction(world, await modelOf(world), {
      messages: ['none'],
      samples: [],
    });
    await expect(nothing).rejects.toThrow(/holds none of these samples/);
  });
});
