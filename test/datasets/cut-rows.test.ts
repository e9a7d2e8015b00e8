import { describe, expect, it } from 'vitest';
import { bytesInMemory } from '../../lib/datasets/byte-source.ts';
import { createRowJudge } from '../../lib/datasets/judge-rows.ts';
import { readSamples } from '../../lib/datasets/read-samples.ts';
import { readHeldOut } from '../../lib/datasets/shards.ts';
import type { SampleChunk } from '../../lib/datasets/tally.ts';
import { createEncoder } from '../../lib/features/encoder.ts';
import { emptyStatistics } from '../../lib/features/statistics.ts';
import { checkDataset } from '../../lib/operations/check-dataset.ts';
import { defineSpec, type SpecInput } from '../../lib/spec/spec.ts';
import { memoryStore } from '../support/memory-store.ts';
import { prepareWhole } from '../support/prepare-whole.ts';
import { readWholeShard } from '../support/whole-shard.ts';
import { createWorld } from '../support/world.ts';

const rows = 240;

/** A label in a hundred is out of all proportion, the first and the last among them. */
const isOdd = (i: number) => i < 2 || i === 120 || i === rows - 1;
const isBroken = (i: number) => i % 50 === 7;
const labelOf = (i: number) => (isOdd(i) ? 1e15 : 100 + (i % 7));

/** The same rows in each format; some are none. */
const formats: Readonly<Record<string, (first: number, end: number) => string>> = {
  csv(first, end) {
    const lines = numbers(first, end).map((i) => (isBroken(i) ? '1,2,3' : `${i},${labelOf(i)}`));
    return `${['x,label', ...lines].join('\n')}\n`;
  },
  jsonl: (first, end) =>
    numbers(first, end)
      .map((i) => (isBroken(i) ? '{"x":' : JSON.stringify({ x: i, label: labelOf(i) })))
      .join('\n'),
};

function numbers(first: number, end: number): readonly number[] {
  return Array.from({ length: end - first }, (_, i) => first + i);
}

/** A dataset whose files have so many rows each. */
function filesOf(format: string, each: number) {
  return Array.from({ length: Math.ceil(rows / each) }, (_, file) => ({
    name: `${String(file).padStart(4, '0')}.${format}`,
    text: formats[format]?.(file * each, Math.min(rows, (file + 1) * each)) ?? '',
  }));
}

const spec = (validation: object | number): SpecInput => ({
  model: 'cut',
  task: 'regression',
  features: { x: { type: 'number' } },
  batch: { validation, refusedShare: 0.5 } as SpecInput['batch'],
});

/** All that is prepared of some files. */
async function prepared(declared: SpecInput, files: ReturnType<typeof filesOf>) {
  const own = defineSpec(declared);
  const ports = { ...createWorld(declared), store: memoryStore() };
  const samples = async function* (): AsyncGenerator<SampleChunk> {
    for (const { name, text } of files)
      yield* readSamples(own, { name, bytes: bytesInMemory(Buffer.from(text)) });
  };
  const found = await prepareWhole(
    ports,
    { spec: own, stored: own, encoder: createEncoder(own) },
    { identity: 'rows', samples },
  );
  const [shard, heldOut] = [
    await readWholeShard(ports.store, found, 0),
    await readHeldOut(ports.store, found),
  ];
  const { refusedRows, statistics } = found;
  return { shard, heldOut, refusedRows, statistics };
}

describe('the rows of a dataset', () => {
  it.each([0.2, { folds: 4, fold: 1 }])(
    'come to the same, however they are cut into files (held out: %j)',
    async (validation) => {
      const whole = await prepared(spec(validation), filesOf('csv', rows));
      expect(whole.refusedRows).toBe(4 + numbers(0, rows).filter(isBroken).length);
      expect(whole.heldOut.count).toBeGreaterThan(20);
      for (const format of Object.keys(formats))
        for (const each of [rows, 100, 9, 1])
          expect([format, each, await prepared(spec(validation), filesOf(format, each))]).toEqual([
            format,
            each,
            whole,
          ]);
    },
  );

  it('are checked as they are prepared', async () => {
    const declared = spec(0.2);
    for (const each of [rows, 9]) {
      const { store } = createWorld(declared);
      for (const { name, text } of filesOf('csv', each))
        await store.put(`datasets/cut/${name}`, Buffer.from(text));
      const found = await checkDataset({ store }, defineSpec(declared), { dataset: 'cut' });
      expect(found).toMatchObject({
        rows,
        refusedRows: 4 + numbers(0, rows).filter(isBroken).length,
      });
    }
  });

  it('give no place to a class that is held out alone', async () => {
    const declared: SpecInput = {
      model: 'cut',
      task: 'multiclass',
      features: { x: { type: 'number' } },
      label: { maxClasses: 2 },
      batch: { validation: { column: 'x', from: 30 } },
    };
    const kindOf = (i: number) => (i < 30 ? `k${i % 2}` : 'new');
    const lines = numbers(0, 40).map((i) => `${i},${kindOf(i)}`);
    const text = ['x,label', ...lines].join('\n');
    const { statistics, heldOut } = await prepared(declared, [{ name: 'a.csv', text }]);
    expect(statistics.classNames).toEqual(['k0', 'k1']);
    expect(heldOut.count).toBe(10);
    const { store } = createWorld(declared);
    await store.put('datasets/cut/a.csv', Buffer.from(text));
    const { failure } = await checkDataset({ store }, defineSpec(declared), { dataset: 'cut' });
    expect(failure).toBeUndefined();
  });

  it('wait for others at first alone, and not for ever where all are refused', () => {
    const own = defineSpec(spec(0.2));
    const encoder = createEncoder(own);
    const seen = () => emptyStatistics(encoder.layout);
    const judge = createRowJudge({ spec: own, encoder, seen });
    const chunkOf = (count: number, sample: object): SampleChunk => ({
      samples: Array.from({ length: count }, () => sample),
      placeOf: () => ({ file: 'a', line: 1 }),
    });
    const good = { features: { x: 1 }, label: 2 };
    expect(judge.add(chunkOf(9, good))).toEqual([]);
    expect(judge.add(chunkOf(200, good))).toHaveLength(2);
    expect(judge.add(chunkOf(200, { features: { x: 1 } }))).toHaveLength(1);
    expect(judge.rest()).toEqual([]);
  });
});
