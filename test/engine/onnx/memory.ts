import { onnxEngine } from '../../../lib/engine/onnx/onnx.ts';
import { defineSpec } from '../../../lib/spec/spec.ts';
import { samplesOf } from '../samples.ts';

/**
 * `node --expose-gc memory.ts <calls>`: trains with one minibatch a call, and prints MiB of memory
 * in use after a tenth of the calls and after all of them.
 */
const calls = Number(process.argv[2]);
const spec = defineSpec({
  model: 'memory',
  task: 'binary',
  features: { shop: { type: 'category', buckets: 5, dimensions: 2 }, amount: { type: 'number' } },
  network: { hidden: [8] },
});
const samples = samplesOf(spec, 32);
const model = await onnxEngine({ threads: 1 }).compile(spec);
const run = { minibatch: 32, rate: spec.optimizer.rate };
const used = () => {
  globalThis.gc?.();
  return process.memoryUsage().rss / 2 ** 20;
};

let state = model.initial();
for (let call = 1; call <= calls; call++) {
  ({ state } = await model.train(state, samples, run));
  if (call === calls / 10 || call === calls) console.log(used());
}
