import { createHash } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createEngine } from '../../lib/engine/create-engine.ts';
import type { GraphCache } from '../../lib/engine/engine.ts';
import { wasmEngine } from '../../lib/engine/wasm/wasm.ts';
import { hashIntegers } from '../../lib/features/hash.ts';
import { learn } from '../../lib/model/learn.ts';
import { compileModel, initialState } from '../../lib/model/model.ts';
import { optimizerTypes } from '../../lib/spec/optimizer-schema.ts';
import { defineSpec, type Spec, type SpecInput } from '../../lib/spec/spec.ts';
import { encodeCheckpoint, encodeParameters } from '../../lib/state/checkpoint-file.ts';
import { layer } from '../support/keras-layer.ts';
import { samplesOf } from './samples.ts';

const common = {
  model: 'bits',
  task: 'binary',
  features: {
    amount: { type: 'number' },
    shop: { type: 'category', buckets: 23, dimensions: 5 },
    city: { type: 'category', values: ['a', 'b', 'c'], dimensions: 3 },
    image: { type: 'vector', length: 6 },
  },
  online: { minibatch: 7 },
} satisfies SpecInput;

const activations = ['tanh', 'sigmoid', 'elu', 'selu', 'softplus', 'softsign', 'swish'] as const;

/**
 * What slides windows over images, and the only activation that such a network alone has, as Keras
 * writes it. (tfjs is not loaded where a compiled model is run.)
 */
const topology = {
  class_name: 'Sequential',
  config: {
    name: 'images',
    layers: [
      layer('Conv2D', 'wide', {
        ...{ filters: 5, kernel_size: [3, 3], padding: 'same', activation: 'gelu' },
        batch_input_shape: [null, 11, 10, 2],
      }),
      layer('MaxPooling2D', 'largest', { pool_size: [3, 2], strides: [2, 2], padding: 'same' }),
      layer('DepthwiseConv2D', 'deep', { kernel_size: [2, 3], depth_multiplier: 2 }),
      layer('Conv2D', 'far', { filters: 9, kernel_size: 3, strides: 2, padding: 'same' }),
      layer('AveragePooling2D', 'mean', { pool_size: 2, strides: 1, padding: 'same' }),
      layer('Flatten', 'flat'),
      layer('Dense', 'last', { units: 1 }),
    ],
  },
};

/** Networks that have all kernels of the wasm engine between them. */
const specs: Record<string, SpecInput> = {
  ...Object.fromEntries(
    optimizerTypes.map((type): [string, SpecInput] => [
      `the optimizer ${type}`,
      { ...common, network: { hidden: [19, 6] }, optimizer: { type, rate: 0.01 } },
    ]),
  ),
  ...Object.fromEntries(
    activations.map((activation): [string, SpecInput] => [
      `the activation ${activation}`,
      { ...common, network: { hidden: [9], activation } },
    ]),
  ),
  'five classes': {
    ...common,
    task: 'multiclass',
    label: { classes: ['a', 'b', 'c', 'd', 'e'] },
    network: { hidden: [12] },
    clip: { norm: 0.5 },
  },
  'wide and deep, with all that keeps weights small': {
    ...common,
    network: {
      hidden: [9, 5],
      wide: true,
      layerNormalization: true,
      dropout: 0.3,
      l1: 1e-3,
      l2: 0.01,
    },
    optimizer: { type: 'adam', rate: 0.01, weightDecay: 0.1, epsilonHat: true },
  },
  'averages of the weights': {
    ...common,
    network: { hidden: [7] },
    optimizer: { type: 'adagrad', rate: 0.1, averageDecay: 0.95 },
  },
  'random biases': { ...common, network: { hidden: [8, 3], randomBiases: true } },
  'random Fourier features': { ...common, network: { hidden: [5], fourier: { units: 21 } } },
  'a piecewise linear encoding': {
    ...common,
    network: { hidden: [5], piecewiseLinear: { bins: 7 } },
  },
  'a regression': { ...common, task: 'regression', network: { hidden: [] } },
  'several outputs': {
    ...common,
    task: 'regression',
    label: { outputs: ['x', 'y', 'z'] },
    network: { hidden: [6] },
  },
  'convolutions and pools': {
    ...{ model: 'bits', task: 'binary', online: { minibatch: 7 } },
    features: { x: { type: 'vector', length: 11 * 10 * 2 } },
    network: { topology },
  },
  'the Huber loss': { ...common, task: 'regression', loss: 'huber', network: { hidden: [4] } },
};

/** How long they train: fully, as the digests that are kept, or as short as an emulator needs. */
const lengths = { full: { samples: 2_100, messages: 60 }, short: { samples: 150, messages: 12 } };

/** Settings of {@link digestsOf}. */
export type DigestSettings = {
  readonly cache?: GraphCache;
  readonly length?: keyof typeof lengths;
};

/** The SHA-256 of what each network is after its steps, and of what it predicts. */
export async function digestsOf({
  cache,
  length = 'full',
}: DigestSettings = {}): Promise<Record<string, string>> {
  const { samples: count, messages } = lengths[length];
  const digests: Record<string, string> = {};
  for (const [name, input] of Object.entries(specs)) {
    const spec = defineSpec(input);
    const model = await wasmEngine(cache === undefined ? {} : { cache }).compile(spec);
    const samples = samplesOf(spec, count);
    const { rate } = spec.optimizer;
    const run = { minibatch: spec.online.minibatch, rate, schedule: spec.online.schedule };
    const { state, losses } = await model.train(model.initial(), samples, run);
    const predictions = await model.predict(state, samples);
    const statistics = { count: 0, mean: new Float64Array(), squares: new Float64Array() };
    const hash = createHash('sha256').update(encodeParameters({ ...state, statistics }, {}));
    digests[name] = hash.update(losses).update(predictions).digest('hex');
  }
  // (Emulated, each network takes long until it is compiled.)
  const own = length === 'full' ? expertsOf7 : expertsOf7.filter((_, i) => !isLikeOthers(i));
  for (const task of ['regression', 'binary', 'multiclass'] as const) {
    const experts = own.filter((each) => task === 'regression' || !isOfLast(each));
    digests[`learners of a ${task}`] = await learnersDigest({ task, experts, cache, messages });
  }
  const experts = [...own];
  const features: SpecInput['features'] = { note: { type: 'text', words: [1, 2], buckets: 8 } };
  digests['classes after one another, and texts'] = await learnersDigest({
    task: 'multiclass',
    experts,
    features,
    cache,
    messages,
  });
  return digests;
}

/** The default experts of release 0.7. */
const expertsOf7: Exclude<NonNullable<SpecInput['online']>['experts'], 'default' | undefined> = [
  { hidden: [32], rate: 0.3, replay: true },
  { hidden: [32, 32], rate: 0.3, replay: true },
  { hidden: [32], rate: 0.1 },
  { hidden: [32], rate: 0.3, halfLife: 16 },
  { hidden: [], rate: 0.1 },
  { predicts: 'prior' },
  { predicts: 'lastLabel' },
];
/** Whether one differs from others in sizes and rates alone. */
const isLikeOthers = (place: number) => place === 1 || place === 2;
const isOfLast = (each: (typeof expertsOf7)[number]) =>
  'predicts' in each && each.predicts === 'lastLabel';

/** A model whose whole state is looked at. */
type Learners = {
  readonly task: SpecInput['task'];
  readonly experts: typeof expertsOf7;
  /** Beside the usual ones. */
  readonly features?: SpecInput['features'];
  readonly cache?: GraphCache | undefined;
  readonly messages: number;
};

/**
 * The SHA-256 of the whole state of a model with all that one may have, after a short stream:
 * experts, replay, features that are taken from others.
 */
async function learnersDigest(learners: Learners): Promise<string> {
  const { task, experts, features, cache, messages } = learners;
  const declared = defineSpec({
    model: 'bits',
    task,
    features: {
      x: { type: 'number', missing: 'mean' },
      y: { type: 'number', halfLife: 7 },
      at: { type: 'timestamp' },
      c: { type: 'category', values: ['a', 'b'] },
      c_mean: { type: 'targetMean', of: ['c'], halfLife: 9 },
      c_x: { type: 'cross', of: ['c', 'x'], buckets: 32 },
      ...features,
    },
    ...(task === 'multiclass' ? { label: { classes: ['0', '1', '2'] } } : {}),
    network: { hidden: [8] },
    // (A checkpoint names the hash of its spec, what releases before 0.11 filled in among it.)
    online: { experts, schedule: { type: 'cosine', steps: 300 }, publishEvery: 1 },
  });
  const spec: Spec = { ...declared, revision: 2 };
  const engine = createEngine({ threads: 1, warn: console.warn, ...(cache && { cache }) });
  const model = { name: spec.model, ...(await compileModel(engine, spec)) };
  let state = initialState(model);
  for (let i = 0; i < messages; i++) {
    const samples = Array.from({ length: 1 + (i % 7) }, (_, j) => learnersSample(spec, i, j));
    const learned = await learn(model, state, model.encoder.encode(samples).samples);
    if (!learned.ok) throw new Error(learned.reason);
    state = { ...state, ...learned.parameters };
  }
  return createHash('sha256').update(encodeCheckpoint(state)).digest('hex');
}

function learnersSample(spec: Spec, i: number, j: number): unknown {
  const [u = 0, v = 0] = [1, 2].map((stream) => hashIntegers(i, j, stream) / 2 ** 32);
  const labels = {
    regression: 5 + u * 3 - v,
    binary: u + v > 1,
    multiclass: Math.floor(1.5 * (u + v)),
  };
  const x = j % 5 === 3 ? null : u;
  const features = { x, y: v * 10, at: 1e9 + i * 3_601, c: u > 0.5 ? 'a' : 'b' };
  const note = `Take ${v > 0.5 ? 'the tram' : 'a bus'}, ${u > 0.3 ? 'später' : 'now'}`;
  const all = 'note' in spec.features ? { ...features, note } : features;
  return { features: all, label: labels[spec.task] };
}

/** A cache in a folder: what one processor compiles, others run without loading tfjs. */
export function folderCache(folder: string): GraphCache {
  const pathOf = (name: string) => join(folder, name);
  return {
    get: async (name) => (existsSync(pathOf(name)) ? readFileSync(pathOf(name)) : undefined),
    put: async (name, body) => writeFileSync(pathOf(name), body),
  };
}

// As a program: `node test/engine/bits.ts <folder> [short]` prints them as JSON.
if (process.argv[1] === import.meta.filename) {
  const [, , folder = '.', length] = process.argv;
  const cache = folderCache(folder);
  const digests = await digestsOf({ cache, length: length === 'short' ? length : 'full' });
  process.stdout.write(`${JSON.stringify(digests, null, 2)}\n`);
}
