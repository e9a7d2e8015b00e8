import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import * as tf from '@tensorflow/tfjs';
import { setThreadsCount, setWasmPaths } from '@tensorflow/tfjs-backend-wasm';
import { readArguments, wholeNumber } from '../../lib/cli/arguments.ts';
import { formatTable } from '../../lib/cli/progress.ts';
import { createEngine } from '../../lib/engine/create-engine.ts';
import type { Engine, EngineState } from '../../lib/engine/engine.ts';
import { onnxEngine } from '../../lib/engine/onnx/onnx.ts';
import { tfjsEngine, tfjsEngineOn } from '../../lib/engine/tfjs.ts';
import { UntraceableError } from '../../lib/engine/trace/untraceable.ts';
import { wasmEngine } from '../../lib/engine/wasm/wasm.ts';
import { trainedLayoutOf } from '../../lib/features/columns.ts';
import { hashIntegers } from '../../lib/features/hash.ts';
import { allocateSamples, type EncodedSamples, sliceSamples } from '../../lib/features/samples.ts';
import type { Spec } from '../../lib/spec/spec.ts';
import { measureColdStart } from './cold-start.ts';
import { limitOf, measurePeak } from './limit.ts';
import { startPeers } from './peers.ts';
import { measurePredictions } from './predictions.ts';
import { type Row, rows, specOf } from './rows.ts';
import { learnStream, measureLogistic } from './stream.ts';

/**
 * `npm run bench`: microseconds of one training step, of Millrace's engines and of their peers,
 * side by side in one run, one thread each. Medians of repetitions after warming up. They take
 * turns within a row, since a machine's speed changes: what one is to another is the median of what
 * it was in each turn. Peers that are not installed are absent.
 */
const { values: options } = readArguments(
  'npm run bench -- [--only <name>] [--repetitions <count>] [--json]',
  {
    options: {
      json: { type: 'boolean', default: false },
      repetitions: { type: 'string', default: '5' },
      only: { type: 'string', default: '' },
    },
  },
);
// Layers of tfjs are made on a backend.
await tf.setBackend('cpu');
const repetitions = wholeNumber('--repetitions', options.repetitions, 1);
const output = options.json ? process.stderr : process.stdout;

/** What can be timed again and again: µs of a step, over so many milliseconds at least. */
type Timer = (milliseconds: number) => Promise<number>;
/** µs per step of each turn; undefined for a peer that is absent. */
type Timings = readonly number[] | undefined;
const contestants = ['wasm', 'onnx', 'tfjs-cpu', 'tfjs-wasm', 'scikit-learn', 'pytorch'] as const;
const chosen = createEngine({ threads: 1, warn: () => undefined });

function samplesOf(spec: Spec, count: number): EncodedSamples {
  const samples = allocateSamples(count, trainedLayoutOf(spec));
  const classes = spec.label.classes?.length ?? 2;
  const draw = (place: number, kind: number) => hashIntegers(7, place, kind) / 2 ** 32;
  samples.numbers.forEach((_, i, numbers) => {
    numbers[i] = 4 * draw(i, 0) - 2;
  });
  const sizes = Object.values(spec.features).flatMap((feature) =>
    feature.type === 'category' ? [feature.buckets ?? 1] : [],
  );
  samples.categories.forEach((_, i, categories) => {
    categories[i] = Math.floor(draw(i, 1) * (sizes[i % sizes.length] ?? 1));
  });
  samples.labels.forEach((_, i, labels) => {
    labels[i] = Math.floor(draw(i, 2) * classes);
    samples.weights[i] = 1;
  });
  return samples;
}

/** Steps that tfjs does in a repetition: it is slow, and its steps take the same time each. */
const slowSteps = { dense: 20, embeddings: 20, convolutional: 3, recurrent: 3 } as const;

async function timerOf(engine: Engine, row: Row, steps: number): Promise<Timer> {
  const spec = specOf(row);
  const model = await engine.compile(spec);
  const samples = samplesOf(spec, steps * row.minibatch);
  let state: EngineState = model.initial();
  const run = { minibatch: row.minibatch, rate: spec.optimizer.rate };
  const learn = async () => {
    state = (await model.train(state, samples, run)).state;
  };
  return repeated(steps, learn);
}

/**
 * Milliseconds that all contestants warm up for, since compilers come in stages, and those that a
 * repetition takes, so that it is not what the one before left in the caches; both at least, of
 * whole passes.
 */
const [warmMilliseconds, repetitionMilliseconds] = [1_000, 300];

/** A timer of something that does so many steps. */
function repeated(steps: number, learn: () => Promise<void>): Timer {
  return async (least) => {
    const begun = performance.now();
    let [passes, passed] = [0, 0];
    do {
      await learn();
      passes += 1;
      passed = performance.now() - begun;
    } while (passed < least);
    return (passed * 1_000) / passes / steps;
  };
}

/** Has all of some timers warm up, and then take turns. @returns µs of each turn, by timer */
async function takeTurns(timers: readonly (Timer | undefined)[]): Promise<readonly Timings[]> {
  for (const timer of timers) await timer?.(warmMilliseconds);
  const timings = timers.map((timer): number[] | undefined => timer && []);
  for (let turn = 0; turn < repetitions; turn++)
    for (const [i, timer] of timers.entries())
      if (timer !== undefined) timings[i]?.push(await timer(repetitionMilliseconds));
  return timings;
}

/** The engine of WebAssembly, where it has all kernels; large networks too. */
async function timerOnOwnWasm(row: Row): Promise<Timer | undefined> {
  const engine: Engine = {
    compile: (spec) => wasmEngine().compile({ ...spec, engine: 'wasm' }),
  };
  return timerOf(engine, row, row.steps).catch((error: unknown) => {
    if (error instanceof UntraceableError) return undefined;
    throw error;
  });
}

/** tfjs on WebAssembly, where it has all kernels of the network's gradients. */
async function timerOnWasm(row: Row): Promise<Timer | undefined> {
  const timer = await timerOf(tfjsEngineOn('wasm'), row, Math.min(row.steps, slowSteps[row.kind]));
  // (What is not there shows with the first step.)
  return timer(0).then(
    () => timer,
    (error: Error) => {
      if (error.message.includes('not registered')) return undefined;
      throw error;
    },
  );
}

/** Of one minibatch a call, by the engine that the spec gets. */
async function timerOfSingleSteps(row: Row): Promise<Timer> {
  const spec = specOf(row);
  const model = await chosen.compile(spec);
  const samples = sliceSamples(
    samplesOf(spec, row.minibatch),
    0,
    row.minibatch,
    trainedLayoutOf(spec),
  );
  let state = model.initial();
  const run = { minibatch: row.minibatch, rate: spec.optimizer.rate };
  return repeated(row.steps, async () => {
    for (let step = 0; step < row.steps; step++)
      state = (await model.train(state, samples, run)).state;
  });
}

async function timerOfPeer(peer: string, row: Row): Promise<Timer | undefined> {
  if ((await peers.ask({ peer, ...row })) === undefined) return undefined;
  return async (milliseconds) => {
    const answer = await peers.ask({ again: peer, milliseconds });
    return answer?.microseconds[0] ?? Number.NaN;
  };
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}

setThreadsCount(1);
setWasmPaths(
  join(dirname(fileURLToPath(import.meta.resolve('@tensorflow/tfjs-backend-wasm'))), '/'),
);
const peers = startPeers();
const results: Record<string, unknown>[] = [];
const peak = await measurePeak();
const table = [
  [
    'network',
    'minibatch',
    'optimizer',
    ...contestants.map((name) => `${name} µs`),
    'engine',
    '× onnx',
    '× sklearn',
    '× torch',
    'limit µs',
    'single µs',
  ],
];
const rounded = (value: number | undefined) => {
  if (value === undefined) return 'absent';
  return value < 100 ? value.toPrecision(3) : Math.round(value).toLocaleString('en');
};
for (const row of rows.filter(({ name }) => name.includes(options.only))) {
  const timers: Readonly<Record<(typeof contestants)[number], Timer | undefined>> = {
    wasm: await timerOnOwnWasm(row),
    onnx: await timerOf(onnxEngine({ threads: 1 }), row, row.steps),
    'tfjs-cpu': await timerOf(tfjsEngine, row, Math.min(row.steps, slowSteps[row.kind])),
    'tfjs-wasm': await timerOnWasm(row),
    'scikit-learn': await timerOfPeer('scikit-learn', row),
    pytorch: await timerOfPeer('pytorch', row),
  };
  const ofSingle = await timerOfSingleSteps({ ...row, steps: Math.min(row.steps, 200) });
  const turns = await takeTurns([...contestants.map((name) => timers[name]), ofSingle]);
  const timings = Object.fromEntries(contestants.map((name, i) => [name, turns[i]]));
  const single = median(turns.at(-1) ?? []);
  const medians = Object.fromEntries(
    contestants.map((name) => [name, timings[name] && median(timings[name])]),
  );
  const engine = (await chosen.compile(specOf(row))).engine.startsWith('wasm') ? 'wasm' : 'onnx';
  const ours = timings[engine] ?? [];
  const ratios = Object.fromEntries(
    (['onnx', 'scikit-learn', 'pytorch'] as const).map((name) => [
      name,
      timings[name] && median(timings[name].map((theirs, turn) => theirs / (ours[turn] ?? 0))),
    ]),
  );
  const limit = limitOf(row, peak);
  const times = (value: number | undefined) =>
    value === undefined ? 'absent' : `${value.toFixed(1)}×`;
  table.push([
    row.name,
    String(row.minibatch),
    row.optimizer,
    ...contestants.map((name) => rounded(medians[name])),
    engine,
    ...Object.values(ratios).map(times),
    rounded(limit),
    rounded(single),
  ]);
  output.write(`${table.at(-1)?.join('  ')}\n`);
  results.push({
    network: row.name,
    minibatch: row.minibatch,
    optimizer: row.optimizer,
    engine,
    microseconds: medians,
    ratios,
    limitMicroseconds: limit,
    singleStepMicroseconds: single,
  });
}
const products = `${(peak.products / 1e9).toFixed(1)} billion products a second`;
output.write(`\n${formatTable(table)}\n\nlimit: ${products}, `);
output.write(`${(peak.bytes / 1e9).toFixed(1)} GB/s of memory, one core\n\n`);

const stream = options.only === '' ? await learnStream(peers, repetitions) : undefined;
peers.stop();
if (stream !== undefined) {
  const learnt = ({ samplesPerSecond, auc }: (typeof stream)['ours']) =>
    `${Math.round(samplesPerSecond).toLocaleString('en')} flights/s, AUC ${auc.toFixed(4)}`;
  const peer = stream.sgdClassifier;
  output.write(`the flights stream: ${learnt(stream.ours)}; `);
  output.write(`predicted too: ${Math.round(stream.bothPerSecond).toLocaleString('en')}/s; `);
  output.write(`SGDClassifier.partial_fit ${peer === undefined ? 'absent' : learnt(peer)}\n`);
  const logistic = Math.round(await measureLogistic()).toLocaleString('en');
  output.write(`ten categories, a linear model, minibatch 1: ${logistic} samples/s\n`);
}
const predictions = options.only === '' ? await measurePredictions() : [];
for (const { samples, p50, p99, samplesPerSecond } of predictions) {
  const times = `p50 ${p50.toFixed(2)} ms, p99 ${p99.toFixed(2)} ms`;
  const rate = Math.round(samplesPerSecond).toLocaleString('en');
  output.write(`a request for ${samples} predictions, warm: ${times}; ${rate} samples/s\n`);
}
const coldStart = options.only === '' ? await measureColdStart(repetitions) : undefined;
if (coldStart !== undefined) {
  const { ready, node, firstUpdate, firstPrediction } = coldStart;
  output.write(`cold start of online-update: ready after ${median(ready).toFixed(0)} ms, `);
  output.write(`the first update done after ${median(firstUpdate).toFixed(0)} ms; `);
  output.write(`Node itself takes ${median(node).toFixed(0)} ms\n`);
  output.write(`cold start of predict: answered after ${median(firstPrediction).toFixed(0)} ms\n`);
}
if (options.json)
  process.stdout.write(
    `${JSON.stringify({ repetitions, rows: results, stream, predictions, coldStart })}\n`,
  );
