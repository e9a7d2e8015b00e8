import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { keys } from '../../lib/bucket/keys.ts';
import { digestOf } from '../../lib/bucket/safetensors.ts';
import { bytesInMemory } from '../../lib/datasets/byte-source.ts';
import { readRows } from '../../lib/datasets/rows.ts';
import { MillraceError } from '../../lib/errors.ts';
import { decodeEntry } from '../../lib/journal/entry.ts';
import { initialState } from '../../lib/model/model.ts';
import {
  decodeCheckpoint,
  encodeCheckpoint,
  encodeParameters,
} from '../../lib/state/checkpoint-file.ts';
import {
  createWorld,
  deliver,
  foldJournal,
  message,
  modelOf,
  sampleMessages,
  ticketsSpec,
} from '../support/world.ts';
import { anyBody } from './bodies.ts';
import { openFrontDoor } from './front-door.ts';

const { model } = ticketsSpec;
/** `FUZZ_RUNS=1000000 npx vitest run test/fuzz` is the nightly form. */
const runs = Number(process.env.FUZZ_RUNS ?? 20_000);
const corpus = join(import.meta.dirname, 'corpus');

describe('whatever arrives', () => {
  it('is learnt, or is in quarantine with a reason', async () => {
    const door = openFrontDoor();
    await fc.assert(fc.asyncProperty(anyBody, door.knock), {
      numRuns: runs,
      seed: 7,
      endOnFailure: true,
    });
    expect(door.learnt()).toBeGreaterThan(runs / 20);
    expect(door.refused()).toBeGreaterThan(runs / 20);
  });

  it.each(readdirSync(corpus))('is settled: %s', async (file) => {
    const door = openFrontDoor();
    await door.knock(readFileSync(join(corpus, file), 'utf8'));
  });

  it('is bounded: 100,000 samples, and more than a message may hold', async () => {
    const door = openFrontDoor();
    await door.knock(`{"samples": [${'{},'.repeat(99_999)}{}]}`);
    await door.knock(`{"samples": [${'0,'.repeat(100_000)}0]}`);
    await door.knock(JSON.stringify({ samples: ['x'.repeat(1_100_000)] }));
    expect(door.learnt()).toBe(0);
    expect(door.refused()).toBe(100_002);
  });
});

/** A file with some bytes changed, or cut off. */
const damaged = (file: Uint8Array) =>
  fc
    .tuple(
      fc.array(fc.tuple(fc.nat(file.length - 1), fc.nat(255)), { maxLength: 4 }),
      fc.nat(file.length),
    )
    .map(([changes, length]) => {
      const copy = Buffer.from(file);
      for (const [place, value] of changes) copy[place] = value;
      return changes.length === 0 ? copy.subarray(0, length) : copy;
    });

describe('a damaged file', () => {
  const expectKind = async (kind: string, read: () => unknown) => {
    try {
      await read();
    } catch (error) {
      if (!(error instanceof MillraceError) || error.kind !== kind) throw error;
    }
  };

  it('of a state or an entry is corrupt, and never read as another', async () => {
    const world = createWorld();
    await deliver(world, sampleMessages(3));
    const state = await foldJournal(world);
    const file = encodeCheckpoint(state);
    const entry = world.store.objects.get(keys.entry(model, 1))?.body ?? new Uint8Array();
    await fc.assert(
      fc.asyncProperty(damaged(file), damaged(entry), async (badFile, badEntry) => {
        await expectKind('corrupt', () => {
          const read = decodeCheckpoint(badFile);
          if (!badFile.equals(file)) throw new Error(`read as entry ${read.sequence}`);
        });
        await expectKind('corrupt', () => decodeEntry(badEntry, 'damaged'));
      }),
      { numRuns: 2_000, seed: 7 },
    );
  });

  it('of a dataset is invalid', async () => {
    const parquet = readFileSync(
      new URL('../data/flights-3m.parquet', import.meta.resolve('vega-datasets')),
    );
    // Its footer, where a reader begins; and cut off anywhere.
    const badFooter = damaged(parquet.subarray(-20_000)).map((end) =>
      Buffer.concat([parquet.subarray(0, -20_000), end]),
    );
    const cut = fc.nat(parquet.length - 1).map((length) => parquet.subarray(0, length));
    await fc.assert(
      fc.asyncProperty(fc.oneof(badFooter, cut), (bad) =>
        expectKind('invalid', async () => {
          // The first chunk: what is read further on is read in the same way.
          for await (const _ of readRows({ name: 'bad.parquet', bytes: bytesInMemory(bad) })) break;
        }),
      ),
      { numRuns: 100, seed: 7 },
    );
  });

  it('of a state is passed over, and the journal gives the same state without it', async () => {
    const world = createWorld();
    const [first, second] = sampleMessages(2);
    if (first === undefined || second === undefined) throw new Error('two messages are sent');
    await deliver(world, [first]);
    const state = await foldJournal(world);
    const [[name, tensor] = ['', { shape: [], data: new Float32Array() }]] = Object.entries(
      state.tensors,
    );
    const file = encodeCheckpoint(state);
    const bad = {
      shape: encodeCheckpoint({
        ...state,
        tensors: { ...state.tensors, [name]: { shape: [1], data: Float32Array.of(1) } },
      }),
      missing: encodeCheckpoint({ ...state, tensors: { [name]: tensor } }),
      infinite: encodeCheckpoint({
        ...state,
        tensors: {
          ...state.tensors,
          [name]: { ...tensor, data: tensor.data.map(() => Number.NaN) },
        },
      }),
      model: encodeCheckpoint({ ...state, model: 'other' }),
      cut: file.subarray(0, file.length - 5),
      lie: Buffer.from([255, 255, 255, 255, 255, 255, 255, 127, 1, 2, 3]),
      nothing: new Uint8Array(),
    };
    for (const [what, body] of Object.entries(bad)) {
      const damaged = createWorld();
      for (const [key, object] of world.store.objects) await damaged.store.put(key, object.body);
      await damaged.store.put(keys.state(model), body);
      expect(await deliver(damaged, [first, second]), what).toMatchObject({ settled: 2 });
      expect((await foldJournal(damaged)).learnt, what).toBe(3);
      const published = damaged.store.objects.get(keys.state(model))?.body ?? new Uint8Array();
      expect(decodeCheckpoint(published), what).toEqual(await foldJournal(damaged));
    }
  });

  it('of a challenger is refused, whoever vouches for it, and the stream goes on', async () => {
    const world = createWorld();
    const { tensors, ...rest } = initialState(await modelOf(world));
    const [[name, tensor] = ['', { shape: [], data: new Float32Array() }]] =
      Object.entries(tensors);
    const files = {
      shape: encodeParameters(
        { ...rest, tensors: { ...tensors, [name]: { shape: [1], data: Float32Array.of(1) } } },
        { caughtUp: '0' },
      ),
      missing: encodeParameters({ ...rest, tensors: { [name]: tensor } }, { caughtUp: '0' }),
      infinite: encodeParameters(
        {
          ...rest,
          tensors: { ...tensors, [name]: { ...tensor, data: tensor.data.map(() => Number.NaN) } },
        },
        { caughtUp: '0' },
      ),
      place: encodeParameters({ ...rest, tensors }, { caughtUp: 'here' }),
      lie: Buffer.from([255, 255, 255, 255, 255, 255, 255, 127, 1, 2, 3]),
    };
    let sequenceNumber = 1;
    for (const [job, file] of Object.entries(files)) {
      await world.store.put(keys.challenger(model, job), file);
      const promote = message(sequenceNumber++, { promote: { job, digest: digestOf(file) } });
      expect(await deliver(world, [promote])).toMatchObject({ settled: 1 });
      expect(world.store.objects.has(keys.quarantine(model, promote.id)), job).toBe(true);
    }
    const { learnt, promoted } = await foldJournal(world);
    expect(promoted).toBeUndefined();
    expect(learnt).toBe(0);
  });
});
