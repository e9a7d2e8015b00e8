import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createEngine } from '../../lib/engine/create-engine.ts';
import { readFlights, toSample } from '../../lib/examples/flights/data.ts';
import { layoutOf, scalingOf } from '../../lib/features/columns.ts';
import { createEncoder } from '../../lib/features/encoder.ts';
import { hashIntegers } from '../../lib/features/hash.ts';
import {
  allocateSamples,
  concatSamples,
  type EncodedSamples,
  sliceSamples,
} from '../../lib/features/samples.ts';
import { standardize } from '../../lib/features/scaling.ts';
import { statisticsOf } from '../../lib/features/statistics.ts';
import { addScores, areaUnderCurve, emptyScores, score } from '../../lib/metrics/scores.ts';
import { defineSpec } from '../../lib/spec/spec.ts';
import { benchFlightsSpec } from './flights-spec.ts';
import type { Peers } from './peers.ts';

/**
 * What one learner did: samples per second of learning alone, and the AUC of its predictions before
 * it learnt them.
 */
export type Learnt = { readonly samplesPerSecond: number; readonly auc: number };
/** The same stream of flights, learnt message by message. */
export type Stream = {
  readonly ours: Learnt;
  /** Samples of February that were predicted and learnt, a second. */
  readonly bothPerSecond: number;
  readonly sgdClassifier: Learnt | undefined;
};

/** Flights of one message, as in the example. */
const messageFlights = 256;
const layout = layoutOf(benchFlightsSpec);

/**
 * Both learn January; then they predict each message of February, and learn it. Encoding is done
 * before.
 */
export async function learnStream(peers: Peers, repetitions: number): Promise<Stream> {
  const january = await encodeMonth(0);
  const statistics = statisticsOf(january, layout);
  const months = [january, await encodeMonth(1)].map((month) =>
    standardize(month, statistics, scalingOf(benchFlightsSpec)),
  );
  return {
    ...(await learnHere(months, repetitions)),
    sgdClassifier: await learnOnPeer(peers, months, repetitions),
  };
}

async function encodeMonth(month: number): Promise<EncodedSamples> {
  const { encode } = createEncoder(benchFlightsSpec);
  const parts: EncodedSamples[] = [];
  for await (const { flights } of readFlights(month, month))
    parts.push(encode(flights.map(toSample)).samples);
  return concatSamples(parts, layout);
}

async function learnHere(
  months: readonly EncodedSamples[],
  repetitions: number,
): Promise<Pick<Stream, 'ours' | 'bothPerSecond'>> {
  const model = await engine.compile(benchFlightsSpec);
  const run = {
    minibatch: benchFlightsSpec.online.minibatch,
    rate: benchFlightsSpec.optimizer.rate,
  };
  const seconds: number[] = [];
  const both: number[] = [];
  let scores = emptyScores(benchFlightsSpec);
  for (let i = 0; i < repetitions; i++) {
    let state = model.initial();
    scores = emptyScores(benchFlightsSpec);
    let learning = 0;
    let streaming = 0;
    for (const [month, samples] of months.entries()) {
      for (let start = 0; start < samples.count; start += messageFlights) {
        const message = sliceSamples(samples, start, start + messageFlights, layout);
        const begun = performance.now();
        const predictions = month > 0 ? await model.predict(state, message) : undefined;
        const started = performance.now();
        ({ state } = await model.train(state, message, run));
        const ended = performance.now();
        learning += ended - started;
        if (predictions === undefined) continue;
        streaming += ended - begun;
        scores = addScores(scores, score(benchFlightsSpec, predictions, message));
      }
    }
    seconds.push(learning / 1_000);
    both.push((1_000 * (months[1]?.count ?? 0)) / streaming);
  }
  both.sort((x, y) => x - y);
  return {
    ours: learnt(months, seconds, areaUnderCurve(scores)),
    bothPerSecond: both[Math.floor(both.length / 2)] ?? Number.NaN,
  };
}

const engine = createEngine({ threads: 1, warn: () => undefined });

/** Samples a second of a linear model over ten categories, one sample a step. */
export async function measureLogistic(): Promise<number> {
  const features = Object.fromEntries(
    Array.from({ length: 10 }, (_, i) => [
      `category${i}`,
      { type: 'category' as const, buckets: 1_000, dimensions: 1 },
    ]),
  );
  const spec = defineSpec({
    model: 'logistic',
    task: 'binary',
    features,
    network: { hidden: [] },
    optimizer: { type: 'sgd', rate: 0.05 },
    online: { minibatch: 1 },
  });
  const model = await engine.compile(spec);
  const samples = allocateSamples(50_000, layoutOf(spec));
  for (let i = 0; i < samples.categories.length; i++)
    samples.categories[i] = hashIntegers(7, i) % 1_000;
  samples.labels.forEach((_, i) => {
    samples.labels[i] = i % 2;
    samples.weights[i] = 1;
  });
  const rates: number[] = [];
  let state = model.initial();
  for (let i = 0; i < 9; i++) {
    const started = performance.now();
    ({ state } = await model.train(state, samples, { minibatch: 1, rate: 0.05 }));
    rates.push((1_000 * samples.count) / (performance.now() - started));
  }
  return rates.sort((x, y) => x - y)[4] ?? Number.NaN;
}

/**
 * Each category as columns of ones and zeros, sparse, and the distance: what a linear model of
 * scikit-learn takes.
 */
async function learnOnPeer(
  peers: Peers,
  months: readonly EncodedSamples[],
  repetitions: number,
): Promise<Learnt | undefined> {
  const directory = mkdtempSync(join(tmpdir(), 'millrace-bench-'));
  const file = join(directory, 'flights');
  const { numbers, categories, labels } = concatSamples(months, { ...layout, isExact: false });
  writeFileSync(`${file}.numbers`, numbers);
  writeFileSync(`${file}.categories`, categories);
  writeFileSync(`${file}.labels`, labels);
  try {
    const answer = await peers.ask({
      peer: 'stream',
      file,
      message: messageFlights,
      months: months.map(({ count }) => count),
      repetitions,
    });
    if (answer?.auc === undefined) return undefined;
    return learnt(
      months,
      answer.microseconds.map((each) => each / 1e6),
      answer.auc,
    );
  } finally {
    rmSync(directory, { recursive: true });
  }
}

/** @param seconds of each repetition */
function learnt(
  months: readonly EncodedSamples[],
  seconds: readonly number[],
  auc: number,
): Learnt {
  const samples = months.reduce((sum, { count }) => sum + count, 0);
  const middle = seconds.toSorted((a, b) => a - b)[Math.floor(seconds.length / 2)] ?? Number.NaN;
  return { samplesPerSecond: samples / middle, auc };
}
