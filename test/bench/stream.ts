import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onnxEngine } from '../../lib/engine/onnx/onnx.ts';
import { readFlights, toSample } from '../../lib/examples/flights/data.ts';
import { flightsSpec } from '../../lib/examples/flights/spec.ts';
import { layoutOf, standardizedColumns } from '../../lib/features/columns.ts';
import { createEncoder } from '../../lib/features/encoder.ts';
import { concatSamples, type EncodedSamples, sliceSamples } from '../../lib/features/samples.ts';
import { standardize, statisticsOf } from '../../lib/features/statistics.ts';
import { addScores, areaUnderCurve, emptyScores, score } from '../../lib/metrics/scores.ts';
import type { Peers } from './peers.ts';

/**
 * What one learner did: samples per second of learning alone, and the AUC of its predictions before
 * it learnt them.
 */
export type Learnt = { readonly samplesPerSecond: number; readonly auc: number };
/** The same stream of flights, learnt message by message. */
export type Stream = { readonly onnx: Learnt; readonly sgdClassifier: Learnt | undefined };

/** Flights of one message, as in the example. */
const messageFlights = 256;
const layout = layoutOf(flightsSpec);

/**
 * Both learn January; then they predict each message of February, and learn it. Encoding is done
 * before.
 */
export async function learnStream(peers: Peers, repetitions: number): Promise<Stream> {
  const january = await encodeMonth(0);
  const statistics = statisticsOf(january, layout);
  const months = [january, await encodeMonth(1)].map((month) =>
    standardize(month, statistics, standardizedColumns(flightsSpec)),
  );
  return {
    onnx: await learnOnOnnx(months, repetitions),
    sgdClassifier: await learnOnPeer(peers, months, repetitions),
  };
}

async function encodeMonth(month: number): Promise<EncodedSamples> {
  const { encode } = createEncoder(flightsSpec);
  const parts: EncodedSamples[] = [];
  for await (const { flights } of readFlights(month, month))
    parts.push(encode(flights.map(toSample)).samples);
  return concatSamples(parts, layout);
}

async function learnOnOnnx(
  months: readonly EncodedSamples[],
  repetitions: number,
): Promise<Learnt> {
  const model = await onnxEngine({ threads: 1 }).compile(flightsSpec);
  const run = { minibatch: flightsSpec.online.minibatch, rate: flightsSpec.optimizer.rate };
  const seconds: number[] = [];
  let scores = emptyScores(flightsSpec);
  for (let i = 0; i < repetitions; i++) {
    let state = model.initial();
    scores = emptyScores(flightsSpec);
    let milliseconds = 0;
    for (const [month, samples] of months.entries()) {
      for (let start = 0; start < samples.count; start += messageFlights) {
        const message = sliceSamples(samples, start, start + messageFlights, layout);
        if (month > 0) {
          scores = addScores(
            scores,
            score(flightsSpec, await model.predict(state, message), message),
          );
        }
        const started = performance.now();
        ({ state } = await model.train(state, message, run));
        milliseconds += performance.now() - started;
      }
    }
    seconds.push(milliseconds / 1_000);
  }
  return learnt(months, seconds, areaUnderCurve(scores));
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
