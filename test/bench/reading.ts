import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
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
 * by one core, beside what pandas takes to make numbers of the same CSV and Parquet, and such
 * shards of them (where `python3` has it, and pyarrow); and samples a second from a message's body
 * to encoded rows, of a list and of columns. What is written is stored nowhere. Medians of five.
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
    const made = createWorld(spec);
    const nowhere = { put: async () => ({ etag: '"none"' }) };
    const world = { ...made, store: Object.assign(Object.create(made.store), nowhere) };
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

const inPandas = `
import hashlib, sys, time
try:
    import numpy as np, pandas as pd
except ImportError as error:
    print('none:', str(error).replace(' ', '_')); sys.exit()
def narrow(column):
    if column.dtype != np.int32:
        return column
    kinds = [np.uint8, np.int8, np.int16, np.int32]
    fit = [k for k in kinds if np.iinfo(k).min <= column.min() and column.max() <= np.iinfo(k).max]
    return column.astype(fit[0])

def shards(columns):
    is_out = np.random.default_rng(7).random(len(columns[0])) < 0.1
    train = [column[~is_out] for column in columns]
    for start in range(0, len(train[0]), ${limits.shardRows}):
        rows = [column[start:start + ${limits.shardRows}] for column in train]
        body = b''.join(narrow(column).tobytes() for column in rows)
        yield body, hashlib.sha256(body).hexdigest(), [(each.mean(), each.std()) for each in rows]

def of_csv():
    kinds = {name: 'category' for name in ('origin', 'destination', 'hour', 'weekday')}
    rows = pd.read_csv(sys.argv[1], dtype=kinds)
    codes = [rows[each].cat.codes.to_numpy(np.int32) for each in kinds]
    return codes + [rows[each].to_numpy(np.float32) for each in ('distance', 'late')]

def of_parquet():
    import pyarrow.parquet as pq
    kinds = ['origin', 'destination']
    names = ['distance', 'date', 'delay', *kinds]
    options = {'columns': names, 'read_dictionary': kinds, 'use_threads': False}
    rows = pq.read_table(sys.argv[1], **options).to_pandas(use_threads=False)
    codes = [rows[each].astype('category').cat.codes.to_numpy(np.int32) for each in kinds]
    time = rows['date'].to_numpy().astype('datetime64[ms]').astype(np.int64)
    turns = [time / 86400000, (time // 86400000 + 4) / 7, rows['date'].dt.month.to_numpy() / 12]
    waves = [f(2 * np.pi * turn).astype(np.float32) for turn in turns for f in (np.sin, np.cos)]
    return codes + waves + [rows[each].to_numpy(np.float32) for each in ('distance', 'delay')]

seconds, alone = [], []
for _ in range(${repetitions}):
    started = time.perf_counter()
    try:
        columns = of_csv() if sys.argv[1].endswith('.csv') else of_parquet()
    except ImportError as error:
        print('none:', str(error).replace(' ', '_')); sys.exit()
    alone.append(time.perf_counter() - started)
    written = list(shards(columns))
    seconds.append(time.perf_counter() - started)
middle = ${repetitions >> 1}
print(sorted(alone)[middle], sorted(seconds)[middle], len(columns[0]), pd.__version__)
`;

/** What pandas takes for a file. (Debian keeps it with its own Python, which is asked first.) */
function besidePandas(file: string): void {
  const { stdout } = spawnSync('python3', ['-c', inPandas, file], {
    encoding: 'utf8',
    env: { ...process.env, PATH: `/usr/bin:/bin:${process.env.PATH}` },
  });
  const [read = '', whole = '', rows = '', version = ''] = stdout.trim().split(' ');
  if (version === '') {
    write(`no pandas for ${file}: ${stdout.trim()}`);
    return;
  }
  for (const [seconds, what] of [
    [Number(read), `pandas ${version}, numbers`],
    [Number(whole), '… and shards of them'],
  ] as const) {
    const megabytes = (statSync(file).size / 1e6 / seconds).toFixed(1).padStart(7);
    write(`${what.padEnd(24)} ${perSecond(Number(rows), seconds)} rows/s ${megabytes} MB/s`);
  }
}
besidePandas(path);
besidePandas(fileURLToPath(parquet));
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
