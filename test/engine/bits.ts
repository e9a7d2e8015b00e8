import { createHash } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { GraphCache } from '../../lib/engine/engine.ts';
import { wasmEngine } from '../../lib/engine/wasm/wasm.ts';
import { optimizerTypes } from '../../lib/spec/optimizer-schema.ts';
import { defineSpec, type SpecInput } from '../../lib/spec/spec.ts';
import { encodeParameters } from '../../lib/state/checkpoint-file.ts';
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
  'a regression': { ...common, task: 'regression', network: { hidden: [] } },
  'the Huber loss': { ...common, task: 'regression', loss: 'huber', network: { hidden: [4] } },
};

/** The SHA-256 of what each network is after three hundred steps, and of what it predicts. */
export async function digestsOf(cache?: GraphCache): Promise<Record<string, string>> {
  const digests: Record<string, string> = {};
  for (const [name, input] of Object.entries(specs)) {
    const spec = defineSpec(input);
    const model = await wasmEngine(cache === undefined ? {} : { cache }).compile(spec);
    const samples = samplesOf(spec, 2_100);
    const { rate } = spec.optimizer;
    const run = { minibatch: spec.online.minibatch, rate, schedule: spec.online.schedule };
    const { state, losses } = await model.train(model.initial(), samples, run);
    const predictions = await model.predict(state, samples);
    const statistics = { count: 0, mean: new Float64Array(), squares: new Float64Array() };
    const hash = createHash('sha256').update(encodeParameters({ ...state, statistics }, {}));
    digests[name] = hash.update(losses).update(predictions).digest('hex');
  }
  return digests;
}

/** A cache in a folder: what one processor compiles, others run without loading tfjs. */
export function folderCache(folder: string): GraphCache {
  const pathOf = (name: string) => join(folder, name);
  return {
    get: async (name) => (existsSync(pathOf(name)) ? readFileSync(pathOf(name)) : undefined),
    put: async (name, body) => writeFileSync(pathOf(name), body),
  };
}

// As a program: `node test/engine/bits.ts <folder>` prints them as JSON.
if (process.argv[1] === import.meta.filename) {
  const digests = await digestsOf(folderCache(process.argv[2] ?? '.'));
  process.stdout.write(`${JSON.stringify(digests, null, 2)}\n`);
}
