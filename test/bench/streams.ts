import { readSamples } from '../../lib/datasets/read-samples.ts';
import { createEngine } from '../../lib/engine/create-engine.ts';
import { concatSamples, type EncodedSamples } from '../../lib/features/samples.ts';
import { compileModel, type Model } from '../../lib/model/model.ts';
import { predict } from '../../lib/model/predict.ts';
import { draftSpec } from '../../lib/operations/draft-spec.ts';
import { defineSpec } from '../../lib/spec/spec.ts';
import { learnMessages } from './progressive.ts';
import { readStream, type StreamFile, streamFiles } from './stream-files.ts';

/**
 * `npm run streams [names…]`: the drafted spec of `millrace init`, untouched, on public streams.
 * Each message is predicted whole before it is learnt. The streams lie in the folder
 * `MILLRACE_STREAMS`, as their carriers packed them.
 */
const folder = process.env.MILLRACE_STREAMS;
const messageSizes = [1, 10, 100];
const seeds = [1, 2, 3];

const engine = createEngine({ threads: 1, warn: console.warn });

if (folder === undefined) {
  console.log('Set MILLRACE_STREAMS to a folder with the streams; see test/bench/stream-files.ts');
  process.exit(2);
}
const names = process.argv.slice(2);
console.log('| stream | best published, one a message | 1 | 10 | 100 | samples per second |');
console.log('| --- | ---: | ---: | ---: | ---: | ---: |');
for (const file of streamFiles) {
  if (names.length > 0 && !names.includes(file.name)) continue;
  console.log(await rowOf(file, folder));
}

async function rowOf(file: StreamFile, from: string): Promise<string> {
  const text = Buffer.from(readStream(from, file));
  const label = file.label === 'weight' ? 'grams' : file.label;
  const bytes = {
    sizeBytes: text.length,
    read: async (start: number, end: number) => text.subarray(start, end),
  };
  const { spec: drafted } = await draftSpec(
    file.name,
    { name: 'stream.csv', bytes },
    { labels: [label] },
  );
  const cells: string[] = [];
  let seconds = 0;
  let samples = 0;
  for (const size of messageSizes) {
    const scores: number[] = [];
    for (const seed of seeds) {
      const model = {
        name: file.name,
        ...(await compileModel(engine, defineSpec({ ...drafted, seed }))),
      };
      const stream = await encoded(model, bytes);
      const started = performance.now();
      scores.push(await progressive(model, stream, size));
      seconds += (performance.now() - started) / 1_000;
      samples += stream.count;
    }
    cells.push(shown(scores.reduce((sum, score) => sum + score, 0) / scores.length));
  }
  const { learner, score } = file.published;
  const rate = Math.round(samples / seconds).toLocaleString('en');
  return `| ${[file.name, `${learner} ${shown(score)}`, ...cells, rate].join(' | ')} |`;
}

function shown(score: number): string {
  return score < 1 ? score.toFixed(4).replace(/^0/, '') : score.toFixed(2);
}

async function encoded(
  { spec, encoder }: Model,
  bytes: { readonly sizeBytes: number; readonly read: (a: number, b: number) => Promise<Buffer> },
): Promise<EncodedSamples> {
  const parts: EncodedSamples[] = [];
  for await (const { samples } of readSamples(spec, { name: 'stream.csv', bytes })) {
    const encoding = encoder.encode(samples);
    if (encoding.refused.length > 0) console.warn(spec.model, encoding.refused[0]);
    parts.push(encoding.samples);
  }
  return concatSamples(parts, encoder.layout);
}

/** Accuracy, or the mean absolute error, of predictions made before their samples were learnt. */
async function progressive(model: Model, stream: EncodedSamples, size: number): Promise<number> {
  let sum = 0;
  for await (const { message, before, learned } of learnMessages(model, stream, size)) {
    if (model.spec.task === 'regression') {
      const predictions = await predict(model, before, message);
      message.labels.forEach((label, i) => {
        sum += Math.abs((predictions[i] ?? 0) - label);
      });
    }
    sum += learned.scores.correct;
  }
  return sum / stream.count;
}
