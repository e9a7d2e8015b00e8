import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { bytesInMemory } from '../../lib/datasets/byte-source.ts';
import { readSamples } from '../../lib/datasets/read-samples.ts';
import { readFlights, toSample } from '../../lib/examples/flights/data.ts';
import { flightsSpec } from '../../lib/examples/flights/spec.ts';
import { tableOf } from '../../lib/features/table-of.ts';
import { limits } from '../../lib/limits.ts';
import { compileModel } from '../../lib/model/model.ts';
import { parseMessage } from '../../lib/online/messages.ts';
import { defineSpec, type Spec } from '../../lib/spec/spec.ts';
import { prepareWhole } from '../support/prepare-whole.ts';
import { createWorld, message } from '../support/world.ts';

/**
 * `node test/bench/reading.ts`: rows and megabytes a second from a file to shards of encoded rows,
 * by one core, beside what pandas takes to make numbers of the same CSV, and such shards of them
 * (where `python3` has it); and samples a second from a message's body to encoded rows, of a list
 * and of columns. Medians of five.
 */
const repetitions = 5;
const folder = mkdtempSync(join(tmpdir(), 'millrace-reading-'));

/** The columns of the CSV alone, as pandas reads them: nothing is made of them. */
const alone = defineSpec({
  model: 'alone',
  task: 'binary',
  features: {
    hour: { type: 'category', buckets: 64, dimensions: 2 },
    weekday: { type: 'category', buckets: 16, dimensions: 2 },
    distance: { type: 'number' },
    origin: { type: 'category', buckets: 512, dimensions: 4 },
    destination: { type: 'category', buckets: 512, dimensions: 4 },
  },
  label: { name: 'late' },
});

/** The columns of the Parquet file as they are. */
const delays = defineSpec({
  model: 'delays',
  task: 'regression',
  features: {
    distance: { type: 'number' },
    date: { type: 'timestamp' },
    origin: { type: 'category', buckets: 512, dimensions: 4 },
    destination: { type: 'category', buckets: 512, dimensions: 4 },
  },
  label: { name: 'delay' },
});

async function medianSeconds(work: () => Promise<unknown>): Promise<number> {
  const seconds: number[] = [];
  for (let i = 0; i < repetitions; i++) {
    const started = performance.now();
    await work();
    seconds.push((performance.now() - started) / 1_000);
  }
  return seconds.sort((a, b) => a - b)[repetitions >> 1] ?? Number.NaN;
}

const write = (line: string) => process.stdout.write(`${line}\n`);
const perSecond = (count: number, seconds: number) =>
  Math.round(count / seconds)
    .toLocaleString('en')
    .padStart(9);

async function prepared(spec: Spec, name: string, body: Uint8Array, title = name): Promise<void> {
  let rows = 0;
  const seconds = await medianSeconds(async () => {
    const world = createWorld(spec);
    const model = { name: spec.model, ...(await compileModel(world.engine, spec)) };
    const samples = async function* () {
      for await (const chunk of readSamples(spec, { name, bytes: bytesInMemory(body) }))
        yield chunk;
    };
    const { shardRows, heldOutRows } = await prepareWhole(
      world,
      model,
      { identity: name, end: 1, samples },
      {
        isAgain: false,
        isTimeUp: () => false,
        mustStop: () => false,
        onRows: async () => undefined,
      },
    );
    rows = shardRows.reduce((sum, each) => sum + each, heldOutRows);
  });
  const megabytes = (body.length / 1e6 / seconds).toFixed(1).padStart(7);
  write(`${title.padEnd(24)} ${perSecond(rows, seconds)} rows/s ${megabytes} MB/s`);
}

const columns = ['hour', 'weekday', 'distance', 'origin', 'destination', 'late'] as const;
const lines: string[] = [columns.join(',')];
const bodies: string[] = [];
const tables: string[] = [];
for await (const { flights } of readFlights(0, 1)) {
  for (const flight of flights) lines.push(columns.map((each) => flight[each]).join(','));
  for (let at = 0; at < 100 * 256; at += 256) {
    const samples = flights.slice(at, at + 256).map(toSample);
    bodies.push(JSON.stringify({ samples }));
    tables.push(JSON.stringify({ columns: tableOf(samples) ?? {} }));
  }
}
const csv = Buffer.from(`${lines.join('\n')}\n`);
const path = join(folder, 'flights.csv');
writeFileSync(path, csv);
// (First, as pandas in a process of its own: V8 has compiled loops for one spec alone then.)
await prepared(alone, 'flights.csv', csv);
await prepared(flightsSpec, 'flights.csv', csv, 'with crosses, means');
const parquet = new URL('../data/flights-3m.parquet', import.meta.resolve('vega-datasets'));
await prepared(delays, 'flights-3m.parquet', readFileSync(parquet));

const pandas = `
import hashlib, sys, time
try:
    import numpy as np, pandas as pd
except ImportError as error:
    print(error); sys.exit()
def narrow(column):
    kinds = [np.uint8, np.int8, np.int16, np.int32]
    fit = [k for k in kinds if np.iinfo(k).min <= column.min() and column.max() <= np.iinfo(k).max]
    return column.astype(fit[0])

def shards(matrix):
    for start in range(0, len(matrix), ${limits.shardRows}):
        rows = matrix[start:start + ${limits.shardRows}]
        body = b''.join(narrow(column).tobytes() for column in rows.T)
        yield body, hashlib.sha256(body).hexdigest(), rows.mean(axis=0), rows.std(axis=0)

seconds, alone = [], []
for _ in range(${repetitions}):
    started = time.perf_counter()
    kinds = {name: 'category' for name in ('origin', 'destination', 'hour', 'weekday')}
    rows = pd.read_csv(sys.argv[1], dtype=kinds)
    codes = np.column_stack([rows[each].cat.codes.to_numpy(np.int32) for each in kinds])
    numbers = rows[['distance', 'late']].to_numpy(np.float32)
    alone.append(time.perf_counter() - started)
    is_out = np.random.default_rng(7).random(len(rows)) < 0.1
    train = np.column_stack([codes, numbers])[~is_out]
    written = list(shards(train))
    seconds.append(time.perf_counter() - started)
middle = ${repetitions >> 1}
print(sorted(alone)[middle], sorted(seconds)[middle], pd.__version__)
`;
// Debian keeps its packages with its own Python, which need not be the first on the path.
const { stdout } = spawnSync('python3', ['-c', pandas, path], {
  encoding: 'utf8',
  env: { ...process.env, PATH: `/usr/bin:/bin:${process.env.PATH}` },
});
const [read = '', whole = '', version = ''] = stdout.trim().split(' ');
if (version !== '')
  for (const [seconds, what] of [
    [Number(read), `pandas ${version}, numbers`],
    [Number(whole), '… and shards of them'],
  ] as const) {
    const megabytes = (csv.length / 1e6 / seconds).toFixed(1).padStart(7);
    write(`${what.padEnd(24)} ${perSecond(lines.length - 1, seconds)} rows/s ${megabytes} MB/s`);
  }
else write(`pandas is not there: ${stdout.trim()}`);
rmSync(folder, { recursive: true });

const model = {
  name: 'flights',
  ...(await compileModel(createWorld(flightsSpec).engine, flightsSpec)),
};
for (const [name, own] of [
  ['messages of 256', bodies],
  ['the same, of columns', tables],
] as const) {
  let encoded = 0;
  const took = await medianSeconds(async () => {
    encoded = 0;
    for (const body of own) {
      const { command } = parseMessage({ ...message(1, ''), body });
      if (command.kind !== 'samples' || typeof command.body.samples === 'string') continue;
      encoded += model.encoder.encode(command.body.samples).samples.count;
    }
  });
  write(`${name.padEnd(24)} ${perSecond(encoded, took)} samples/s`);
}
