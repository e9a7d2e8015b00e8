import { setTimeout as delay, setImmediate as nextTurn } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import type { ObjectStore } from '../../lib/bucket/object-store.ts';
import { shuffledOrder } from '../../lib/datasets/order.ts';
import { prepareDataset } from '../../lib/datasets/prepare.ts';
import { readHeldOut } from '../../lib/datasets/shards.ts';
import type { SampleSource } from '../../lib/datasets/source.ts';
import { hashIntegers } from '../../lib/features/hash.ts';
import { concatSamples } from '../../lib/features/samples.ts';
import { standardize } from '../../lib/features/scaling.ts';
import { startStatistics, trainEpochs } from '../../lib/jobs/epochs.ts';
import { firstPlace } from '../../lib/jobs/lane.ts';
import { limits } from '../../lib/limits.ts';
import { defineSpec } from '../../lib/spec/spec.ts';
import { readWholeShard } from '../support/whole-shard.ts';
import { createWorld, modelOf } from '../support/world.ts';

/**
 * `node test/bench/from-shards.ts --rows 2000000 --s3 20 --mebibytes 80`: how fast a job learns
 * from its shards, with so many milliseconds before each answer of S3 and so many MiB a second,
 * beside the same steps over rows that lie in memory, standardised already. Numbers have three
 * decimals below 20, as tables have them; with `--decimals 9` they fill float64. The function keeps
 * memory (`infra/functions.ts`): put `MALLOC_MMAP_THRESHOLD_=134217728
 * MALLOC_TRIM_THRESHOLD_=268435456` before the command to measure as it runs.
 */
const { values } = parseArgs({
  options: {
    rows: { type: 'string', default: '2000000' },
    s3: { type: 'string', default: '20' },
    mebibytes: { type: 'string', default: '80' },
    hidden: { type: 'string', default: '64,32' },
    decimals: { type: 'string', default: '3' },
    rounds: { type: 'string', default: '3' },
  },
});
const [rows, milliseconds, mebibytes] = [
  Number(values.rows),
  Number(values.s3),
  Number(values.mebibytes),
];
const spec = defineSpec({
  model: 'shards',
  task: 'binary',
  features: Object.fromEntries(Array.from({ length: 20 }, (_, i) => [`x${i}`, { type: 'number' }])),
  network: { hidden: values.hidden.split(',').map(Number) },
  optimizer: { type: 'adam', rate: 0.001 },
  batch: { epochs: 1, minibatch: 256, validation: 0 },
});
const names = Object.keys(spec.features);
const unit = 10 ** Number(values.decimals);
const numberOf = (row: number, column: number) =>
  Math.floor((hashIntegers(row, column) / 2 ** 32) * 20 * unit) / unit;
const source: SampleSource = {
  identity: 'generated',
  async *samples() {
    for (let first = 0; first < rows; first += 10_000) {
      const samples = Array.from({ length: Math.min(10_000, rows - first) }, (_, i) => {
        const cells = names.map((name, at) => [name, numberOf(first + i, at)]);
        return { features: Object.fromEntries(cells), label: hashIntegers(first + i, 7) % 2 > 0 };
      });
      yield { samples, bad: [], count: samples.length };
    }
  },
};
const world = createWorld(spec);
const model = await modelOf(world, spec.model);
const preparing = await prepareDataset(world, model, source);
if (!preparing.isDone) throw new Error('it is not prepared');
const { prepared } = preparing;
const { layout } = model.encoder;
const { store } = world;

/** A store that answers as S3 does. */
const slow: ObjectStore = {
  ...store,
  async get(key, ...read) {
    const found = await store.get(key, ...read);
    await delay(milliseconds + ((found?.body.length ?? 0) / 1_048_576 / mebibytes) * 1_000);
    return found;
  },
};
const lane = startStatistics({ parameters: model.initial, place: firstPlace(0) }, prepared, layout);

async function fromShards(): Promise<number> {
  const started = performance.now();
  const input = { store: slow, model, prepared, heldOut: await readHeldOut(store, prepared) };
  const never = { now: () => performance.now(), turn: () => nextTurn(), isTimeUp: () => false };
  const whole = { ...never, begun: never.now(), mayEvaluate: () => true };
  await trainEpochs({ ...input, ...whole, onProgress: async () => undefined }, lane);
  return rows / ((performance.now() - started) / 1_000);
}

const { statistics } = lane.parameters;
const shards = await Promise.all(
  prepared.shardRows.map((_, i) => readWholeShard(store, prepared, i)),
);
const inMemory = standardize(concatSamples(shards, layout), statistics, model.scaling);

async function fromMemory(): Promise<number> {
  const order = shuffledOrder(inMemory.count, spec.seed);
  const { minibatch } = spec.batch;
  const step = limits.minibatchesPerCall * minibatch;
  const started = performance.now();
  let state = model.initial as Parameters<typeof model.compiled.train>[0];
  for (let at = 0; at < order.length; at += step) {
    const run = { order: order.subarray(at, at + step), minibatch, rate: spec.optimizer.rate };
    ({ state } = await model.compiled.train(state, inMemory, run));
  }
  return rows / ((performance.now() - started) / 1_000);
}

const shares: number[] = [];
for (let round = 0; round < Number(values.rounds); round++) {
  const [shard, memory] = [await fromShards(), await fromMemory()];
  shares.push(shard / memory);
  process.stdout.write(
    `from shards ${Math.round(shard)} rows/s, from memory ${Math.round(memory)}: ` +
      `${Math.round((100 * shard) / memory)} %\n`,
  );
}
process.stdout.write(`best ${Math.round(100 * Math.max(...shares))} %\n`);
