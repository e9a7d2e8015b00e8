import { describe, expect, it } from 'vitest';
import type { Tensors } from '../../lib/engine/engine.ts';
import { entriesAPublication } from '../../lib/fold/checkpoints.ts';
import { limits } from '../../lib/limits.ts';
import type { CachedModel } from '../../lib/online/start-from.ts';
import { defineSpec, type SpecInput } from '../../lib/spec/spec.ts';
import { bytesOf } from '../../lib/state/state.ts';
import {
  createWorld,
  deliver,
  foldJournal,
  message,
  published,
  ticketsSpec,
} from '../support/world.ts';

const buckets = 20_000;

/** A model with a table that states share, under the name that the world's messages have. */
function specOf(own: Partial<SpecInput> = {}) {
  return defineSpec({
    model: ticketsSpec.model,
    task: 'binary',
    features: {
      amount: { type: 'number' },
      shop: { type: 'category', buckets, dimensions: 8 },
    },
    network: { hidden: [3] },
    ...own,
  });
}

const messages = Array.from({ length: 7 }, (_, i) =>
  message(i + 1, {
    samples: Array.from({ length: 9 }, (_, j) => ({
      features: { amount: i - j, shop: `shop ${(i * j) % 11}` },
      label: (i + j) % 3 === 0,
    })),
  }),
);

/** Lets nobody read what a state has of large tables; answers with how many of them there are. */
function lock(tensors: Tensors): number {
  const large = Object.values(tensors).filter(
    (tensor) => Object.getOwnPropertyDescriptor(tensor, 'data')?.get !== undefined,
  );
  for (const tensor of large) {
    const get = () => {
      throw new Error('a large table was read as a whole');
    };
    Object.defineProperty(tensor, 'data', { get, configurable: true });
  }
  return large.length;
}

const empty = { count: 0, mean: new Float64Array(), squares: new Float64Array() };
const ofNothing = { step: 0, seed: 0, statistics: empty };

describe('a model with a large table', () => {
  it.each<[string, Partial<SpecInput>]>([
    ['that nobody tuned, beside its labels', {}],
    ['of adam', { optimizer: { type: 'adam', rate: 0.01 } }],
    ['with experts', { online: { experts: 'default' } }],
    ['with replay and drift', { online: { replay: { ratio: 1 }, drift: {} } }],
  ])('reads no table as a whole to learn a message: %s', async (_, own) => {
    // (As long as there are few samples to replay, minibatches have other sizes.)
    const settling = 3;
    const online = { ...own.online, publishEvery: 1_000 };
    const world = createWorld(specOf({ ...own, online }));
    let cached: CachedModel | undefined;
    for (const one of messages.slice(0, settling))
      ({ cached } = await deliver(world, [one], undefined, cached));
    for (const one of messages.slice(settling)) {
      expect(lock(cached?.state.tensors ?? {})).toBeGreaterThan(1);
      const update = await deliver(world, [one], undefined, cached);
      expect(update.settled).toBe(1);
      ({ cached } = update);
    }
    const { tensors } = await foldJournal(world);
    expect(cached?.state.tensors).toEqual(tensors);
  });

  it('gives rows to other values without reading the others', async () => {
    const size = 8_192;
    const shop = {
      type: 'category',
      vocabulary: { size, admitAfter: 1, expireAfter: 9 },
      dimensions: 8,
    } as const;
    const features = { amount: { type: 'number' }, shop } as const;
    const world = createWorld(specOf({ features, online: { publishEvery: 1_000 } }));
    const sample = (i: number) => ({
      features: { amount: i % 5, shop: `s${i}` },
      label: i % 3 > 0,
    });
    const of = (from: number, count: number) =>
      Array.from({ length: count }, (_, i) => sample(from + i));
    let { cached } = await deliver(world, [message(1, { samples: of(0, size) })]);
    for (let i = 0; i < 3; i++) {
      expect(lock(cached?.state.tensors ?? {})).toBeGreaterThan(1);
      const one = message(i + 2, { samples: of(size + 7 * i, 7) });
      const update = await deliver(world, [one], undefined, cached);
      expect(update).toMatchObject({ settled: 1, forgotten: 7 });
      ({ cached } = update);
    }
    expect(cached?.state.tensors).toEqual((await foldJournal(world)).tensors);
  });

  it('is published once in so many entries as its state has MiB, and is the fold when it is', async () => {
    const world = createWorld(specOf({ optimizer: { type: 'adam', rate: 0.01 } }));
    let cached: CachedModel | undefined;
    const found: number[] = [];
    for (const one of messages) {
      ({ cached } = await deliver(world, [one], undefined, cached));
      found.push((await published(world)).sequence);
    }
    const bytes = bytesOf(cached?.state.tensors ?? {});
    expect(Math.ceil(bytes / limits.publishedBytes)).toBe(2);
    expect(found).toEqual([1, 2, 2, 4, 4, 6, 6]);
    expect((await published(world)).learnt).toBe(6 * 9);
    // What a redelivery finds settled is published, so that nobody reads it again.
    await deliver(world, messages.slice(-1), undefined, undefined);
    expect(await published(world)).toEqual(await foldJournal(world));
  });

  it.each([
    [0, 1],
    [limits.publishedBytes, 1],
    [limits.publishedBytes + 4, 2],
    [12 * limits.publishedBytes, 12],
    [5_000 * limits.publishedBytes, limits.entriesBehind],
  ])('of %i bytes is published every %ith entry', (bytes, entries) => {
    const tensors = { table: { shape: [bytes / 4], data: new Float32Array(0) } };
    expect(entriesAPublication({ ...ofNothing, tensors })).toBe(entries);
  });
});
