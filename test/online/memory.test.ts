import * as tf from '@tensorflow/tfjs';
import { describe, expect, it } from 'vitest';
import { createEncoder } from '../../lib/features/encoder.ts';
import { rowsWithin } from '../../lib/features/samples.ts';
import { readQuarantine } from '../../lib/journal/quarantine.ts';
import { readEntry } from '../../lib/journal/reading.ts';
import { limits } from '../../lib/limits.ts';
import { createModel } from '../../lib/model/create-model.ts';
import { learn } from '../../lib/model/learn.ts';
import { initialState, type Model } from '../../lib/model/model.ts';
import { type ModelCache, settleDelivery } from '../../lib/online/settle-delivery.ts';
import { defineSpec } from '../../lib/spec/spec.ts';
import type { Parameters } from '../../lib/state/state.ts';
import { prepareWhole } from '../support/prepare-whole.ts';
import {
  createWorld,
  deliver,
  message,
  modelOf,
  sampleMessages,
  ticket,
  ticketsSpec,
} from '../support/world.ts';

const { model } = ticketsSpec;

describe('memory', () => {
  it('is not taken by an object that is too large: it is asked for its size', async () => {
    const world = createWorld();
    const key = 'datasets/late/large.jsonl.gz';
    await world.store.put(key, new Uint8Array(limits.sampleObjectBytes + 1));
    const read: string[] = [];
    world.store.hook = ({ operation, key: each }) => void (operation === 'get' && read.push(each));
    await deliver(world, [message(1, { samples: `s3://memory/${key}` })]);
    const [record] = await readQuarantine(world.store, model);
    expect(record?.refused[0]?.reason).toMatch(/has 67108865 bytes; at most 67108864 are allowed/);
    expect(read).not.toContain(key);
  });

  it('is not taken by many objects at once: each has an entry of its own', async () => {
    const world = createWorld();
    for (const name of ['a', 'b'])
      await world.store.put(
        `datasets/late/${name}.jsonl`,
        Buffer.from(`${JSON.stringify(ticket(1))}\n`),
      );
    const [first, ...rest] = sampleMessages(3);
    const objects = ['a', 'b'].map((name, i) =>
      message(100 + i, { samples: `s3://memory/datasets/late/${name}.jsonl` }),
    );
    if (first === undefined) throw new Error('there is a message');
    const later = rest.map((each, i) => ({
      ...each,
      sequenceNumber: String(200 + i).padStart(20, '0'),
    }));
    await deliver(world, [first, ...objects, ...later]);
    const sizes: number[] = [];
    for (let n = 1; n <= 4; n++)
      sizes.push((await readEntry(world.store, model, n))?.header.messages.length ?? 0);
    expect(sizes).toEqual([1, 1, 1, 2]);
  });

  it('is not taken by what is learnt beside a message: it is learnt block by block', async () => {
    const world = createWorld({
      model,
      task: 'binary',
      features: { x: { type: 'vector', length: 4_000 } },
      network: { hidden: [1] },
      online: { minibatch: 4, replay: { ratio: 64 }, experts: [{ replay: true }, { rate: 0.1 }] },
    });
    const own = await modelOf(world);
    let most = 0;
    const counted: Model = {
      ...own,
      compiled: {
        ...own.compiled,
        train(state, samples, run) {
          most = Math.max(most, samples.numbers.byteLength);
          return own.compiled.train(state, samples, run);
        },
      },
    };
    const some = (count: number) =>
      Array.from({ length: count }, (_, i) => ({
        features: { x: Array.from({ length: 4_000 }, (_element, k) => (i + k) % 3) },
        label: i % 2 === 0,
      }));
    let parameters: Parameters = initialState(own);
    for (const count of [8, 200]) {
      const learned = await learn(counted, parameters, own.encoder.encode(some(count)).samples);
      if (!learned.ok) throw new Error(learned.reason);
      parameters = learned.parameters;
    }
    expect(most).toBeLessThanOrEqual(limits.blockBytes);
    expect(parameters.step).toBe(2 + 50);
  });

  it('is asked for when a model is declared, with the property that gives it', async () => {
    const world = createWorld();
    const large = defineSpec({
      ...ticketsSpec,
      model: 'large',
      network: { hidden: [4_500, 4_500] },
    });
    await expect(createModel(world, large)).rejects.toThrow(
      /^spec\.network: training it needs about \d+ MiB.* have 1769.*of at least Size/,
    );
    await createModel(world, large, { memoryMebibytes: 4_096 });
  });

  it('is as little unlimited as time, of which a step that takes too much is refused', async () => {
    const world = createWorld();
    const create = (minibatch: number) =>
      createModel(
        world,
        defineSpec({
          ...ticketsSpec,
          model: 'slow',
          network: { hidden: [2_500, 2_500] },
          optimizer: { type: 'sgd', rate: 0.1 },
          online: { minibatch },
        }),
      );
    const reason = (error: unknown) => (error instanceof Error ? error.message : '');
    const refused = await create(65_536).catch(reason);
    expect(refused).toMatch(
      /^spec\.online\.minibatch: a step of 65536 takes some \d+ billion products, and an inv/,
    );
    expect(refused).toMatch(/ of 120 s has time for 240 billion; choose at most \d+, or a smal/);
    const most = Number(/at most (\d+)/.exec(String(refused))?.[1]);
    expect(await create(most + 1).catch(reason)).toContain(`at most ${most}`);
    expect(await create(most)).toBe(true);
  });

  it('is not taken by a network that is too large before it is refused', async () => {
    const huge = defineSpec({ ...ticketsSpec, network: { hidden: [65_536, 65_536] } });
    const before = process.memoryUsage().arrayBuffers;
    await expect(createModel(createWorld(), huge)).rejects.toThrow(
      /spec\.network: at most 50000000 parameters are allowed \(found 4295/,
    );
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(limits.parameters);
  });

  it.each([
    ['one layer', [{ units: 3e6 }]],
    ['many that would fit alone', Array.from({ length: 30 }, () => ({ units: 2_000 }))],
  ])('is not taken by a topology that is too large before it is refused: %s', async (_, layers) => {
    const input = { class_name: 'Dense', config: { units: 30, batch_input_shape: [null, 1] } };
    const dense = layers.map((config) => ({ class_name: 'Dense', config }));
    const last = { class_name: 'Dense', config: { units: 1 } };
    const topology = { class_name: 'Sequential', config: { layers: [input, ...dense, last] } };
    const features = { urgency: { type: 'number' as const } };
    const huge = defineSpec({ model, task: 'binary', features, network: { topology } });
    const before = tf.memory().numBytes;
    await expect(createModel(createWorld(), huge)).rejects.toThrow(
      /spec\.network\.topology: at most 50000000 parameters are allowed \(found \d+/,
    );
    expect(tf.memory().numBytes).toBe(before);
  });

  it('is bounded in the cache of models by their bytes', async () => {
    const world = createWorld();
    const cache: ModelCache = new Map();
    const messages = sampleMessages(2);
    await settleDelivery(world, cache, messages.slice(0, 1), () => 100);
    const own = cache.get(model);
    if (own === undefined) throw new Error('it is cached');
    const data = new Float32Array(limits.cachedModelBytes / 4);
    const tensors = { 'weights/large': { shape: [data.length], data } };
    cache.clear();
    cache.set('other', { ...own, state: { ...own.state, tensors } });
    await settleDelivery(world, cache, messages.slice(1), () => 100);
    expect([...cache.keys()]).toEqual([model]);
  });

  it('is bounded in shards by their bytes', async () => {
    const wide = defineSpec({
      model: 'wide',
      task: 'binary',
      features: { pixels: { type: 'vector', length: 150_528 } },
      batch: { validation: 0 },
    });
    const encoder = createEncoder(wide);
    const rows = rowsWithin(limits.shardRows, encoder.layout);
    expect(rows * 150_528 * 4).toBeLessThanOrEqual(limits.shardBytes);
    const pixels = new Array<number>(150_528).fill(0.5);
    const source = {
      identity: 'wide',
      async *samples() {
        for (let i = 0; i < rows + 1; i++)
          yield { samples: [{ features: { pixels }, label: i % 2 === 0 }] };
      },
    };
    const declared = { spec: wide, stored: wide, encoder };
    const { shardRows } = await prepareWhole(createWorld(), declared, source);
    expect(shardRows).toEqual([rows, 1]);
  });
});
