import { zstdCompressSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { keys } from '../../lib/bucket/keys.ts';
import { isFiniteState } from '../../lib/engine/finite.ts';
import { decodeEntry } from '../../lib/journal/entry.ts';
import { readQuarantine } from '../../lib/journal/quarantine.ts';
import { entriesAfter } from '../../lib/journal/reading.ts';
import { verifyModel } from '../../lib/operations/verify.ts';
import type { SpecInput } from '../../lib/spec/spec.ts';
import { decodeCheckpoint, encodeCheckpoint } from '../../lib/state/checkpoint-file.ts';
import { promote, runJob, start } from '../support/jobs.ts';
import {
  createWorld,
  deliver,
  foldJournal,
  message,
  modelOf,
  ticket,
  ticketsSpec,
  type World,
} from '../support/world.ts';

const { model } = ticketsSpec;

const line: SpecInput = {
  model,
  task: 'regression',
  features: {
    x: { type: 'number', standardize: false },
    v: { type: 'vector', length: 2 },
  },
  optimizer: { type: 'sgd', rate: 0.01 },
  online: { minibatch: 2 },
};

/** Everything that is stored can be read again, and leads to the state that is published. */
async function expectReadable(world: World): Promise<void> {
  for await (const { header } of entriesAfter(world.store, model, 0)) {
    for (const { loss } of header.messages) expect(loss ?? 0).toSatisfy(Number.isFinite);
  }
  await readQuarantine(world.store, model);
  const published = await world.store.get(keys.state(model));
  if (published === undefined) return;
  const state = decodeCheckpoint(published.body);
  expect(isFiniteState(state.tensors)).toBe(true);
  expect(encodeCheckpoint(await foldJournal(world))).toEqual(encodeCheckpoint(state));
  expect((await verifyModel(world, await modelOf(world), true)).isSame).toBe(true);
}

describe('what is written can be read again', () => {
  it('after a weight that is 0 in float32, which is refused', async () => {
    const world = createWorld();
    await deliver(world, [message(1, { samples: [{ ...ticket(1), weight: 1e-60 }] })]);
    const [record] = await readQuarantine(world.store, model);
    expect(record?.refused).toMatchObject([{ field: 'weight', code: 'not-finite' }]);
    await expectReadable(world);
  });

  it('whatever numbers are sent', async () => {
    const hostile = fc.oneof(
      fc.constantFrom(0, -0, 1e-60, -1e-46, 1e-45, 5e-324, 1e20, -1e25, 3.4e38, -3.5e38, 1.7e308),
      fc.double(),
      fc.integer(),
    );
    const sample = fc.record(
      {
        features: fc.record({ x: hostile, v: fc.tuple(hostile, hostile) }),
        label: hostile,
        weight: hostile,
      },
      { requiredKeys: ['features', 'label'] },
    );
    const messages = fc.array(fc.array(sample, { minLength: 1, maxLength: 4 }), { maxLength: 4 });
    await fc.assert(
      fc.asyncProperty(messages, async (bodies) => {
        const world = createWorld(line);
        const sent = bodies.map((samples, i) => message(i + 1, { samples }));
        expect((await deliver(world, sent)).settled).toBe(sent.length);
        await expectReadable(world);
      }),
      { numRuns: 60 },
    );
  });

  it.each([
    ['diverged', { ...line, label: { standardize: false } }],
    ['outlier', line],
  ])('after outliers, which alone are refused of their message: %s', async (code, spec) => {
    const outlier = (i: number) => i % 31 === 7;
    const samples = Array.from({ length: 100 }, (_, i) => ({
      features: { x: i % 5, v: [1, i % 3] },
      label: outlier(i) ? 3e38 : i % 5,
    }));
    const world = createWorld(spec);
    await deliver(world, [message(1, { samples })]);
    const [record] = await readQuarantine(world.store, model);
    expect(record?.refused.map(({ index }) => index)).toEqual([7, 38, 69]);
    expect(record?.refused[0]).toMatchObject({ code, sample: samples[7] });
    // The rest is learnt as if they had never been sent.
    const without = createWorld(spec);
    await deliver(without, [message(1, { samples: samples.filter((_, i) => !outlier(i)) })]);
    expect((await foldJournal(world)).tensors).toEqual((await foldJournal(without)).tensors);
    await expectReadable(world);
  });

  it('after an outlier that comes alone', async () => {
    const world = createWorld(line);
    const sample = (label: number) => ({ features: { x: label % 5, v: [1, 2] }, label });
    const usual = Array.from({ length: 20 }, (_, i) => message(i + 1, { samples: [sample(i)] }));
    for (const each of usual) await deliver(world, [each]);
    await deliver(world, [message(100, { samples: [sample(1e25)] })]);
    const [record] = await readQuarantine(world.store, model);
    expect(record?.refused).toMatchObject([{ index: 0, field: 'label', code: 'outlier' }]);
    await expectReadable(world);
  });

  const standardized = { ...line, features: { ...line.features, x: { type: 'number' as const } } };
  const usualSample = (i: number) => ({ features: { x: i % 5, v: [1, 2] }, label: i % 3 });
  const usual = Array.from({ length: 20 }, (_, i) => usualSample(i));

  it.each([
    { x: 4e20, crowd: 0, field: 'features.x', reason: /4e\+?20|400000000000000000000 is more/ },
    { x: 1e38, crowd: 20, field: 'features.x', reason: /declare `clip` or `log`/ },
    { weight: 3e38, crowd: 0, field: 'weight', reason: /at most 1000000 \(found 3e\+38\)/ },
  ])('after what is out of all proportion, which is refused: %#', async (odd) => {
    const { x = 1, weight = 1, crowd, field, reason } = odd;
    const sample = { features: { x, v: [1, 2] }, label: 1, weight };
    const world = createWorld(standardized);
    if (crowd === 0) await deliver(world, [message(1, { samples: usual })]);
    await deliver(world, [message(2, { samples: [...usual.slice(0, crowd), sample] })]);
    const [record] = await readQuarantine(world.store, model);
    expect(record?.refused).toMatchObject([{ index: crowd, field, code: 'outlier' }]);
    expect(record?.refused[0]?.reason).toMatch(reason);
    const without = createWorld(standardized);
    await deliver(without, [message(1, { samples: usual })]);
    expect((await foldJournal(world)).tensors).toEqual((await foldJournal(without)).tensors);
  });

  it('after numbers that were a -1 or next to nothing until now: they are learnt', async () => {
    const at = (x: number, i: number) => ({ features: { x, v: [1, 2] }, label: i % 3 });
    for (const [before, now] of [
      [-1, 1.7e18],
      [0.1 + 0.2 - 0.3, 5],
      [1e-8, 0.97],
    ] as const) {
      const none = Array.from({ length: 20 }, (_, i) => at(before, i));
      const world = createWorld(standardized);
      await deliver(world, [message(1, { samples: none })]);
      await deliver(world, [message(2, { samples: [at(now, 1)] })]);
      await deliver(world, [message(3, { samples: [...none, at(now, 2)] })]);
      expect(await readQuarantine(world.store, model)).toEqual([]);
    }
  });

  it('after numbers that may be wild: clipped ones and logarithms', async () => {
    const wide = { clip: [0, 10] as [number, number] };
    for (const how of [wide, { log: true }]) {
      const x = { type: 'number' as const, ...how };
      const world = createWorld({ ...line, features: { ...line.features, x } });
      const wild = { ...usualSample(1), features: { x: 1e25, v: [1, 2] } };
      await deliver(world, [message(1, { samples: [...usual, wild] })]);
      expect(await readQuarantine(world.store, model)).toEqual([]);
    }
  });

  it('by release 0.1.0 too, which wrote null for a loss', () => {
    const own = { id: 'a', queue: 'q', sequenceNumber: '1', outcome: 'learnt', samples: 1 };
    const header = {
      kind: 'samples',
      ...{ sequence: 1, model, spec: 's', engine: 'e', nonce: 'n', time: 't' },
      messages: [{ ...own, refused: 0, loss: null }],
    };
    const text = `${JSON.stringify(header)}\n${JSON.stringify(ticket(1))}\n`;
    const { header: read } = decodeEntry(zstdCompressSync(text), 'entry');
    expect(read.messages[0]?.loss).toBeUndefined();
  });

  it('after a promotion whose weights stop being finite, which is refused', async () => {
    const layer = {
      units: 1,
      activation: 'linear',
      use_bias: false,
      batch_input_shape: [null, 1],
      kernel_initializer: { class_name: 'Zeros', config: {} },
    };
    const layers = [{ class_name: 'Dense', config: { name: 'd', ...layer } }];
    const world = createWorld({
      model,
      task: 'regression',
      features: { x: { type: 'number', standardize: false } },
      label: { name: 'y' },
      network: { topology: { class_name: 'Sequential', config: { name: 's', layers } } },
      optimizer: { type: 'sgd', rate: 0.05 },
      batch: { epochs: 300 },
    });
    const rows = Array.from({ length: 50 }, (_, i) => ({ x: i / 50, y: i / 25 }));
    const text = rows.map((row) => JSON.stringify(row)).join('\n');
    await world.store.put(`${keys.dataset('past')}rows.jsonl`, Buffer.from(text));
    await runJob(world, start);
    // The champion predicts 0 and learns it without an effect; the challenger does not.
    await deliver(world, [message(1, { samples: [{ features: { x: 1e25 }, label: 0 }] })]);
    const { entries } = await promote(world);
    expect(entries.map(({ kind }) => kind)).toEqual(['samples']);
    const [record] = await readQuarantine(world.store, model);
    expect(record?.refused).toMatchObject([{ field: 'promote', code: 'diverged' }]);
    await deliver(world, [message(2_000, { samples: [{ features: { x: 0.5 }, label: 1 }] })]);
    expect((await foldJournal(world)).learnt).toBe(2);
    await expectReadable(world);
  });
});
