import { onnxEngine } from '../../../lib/engine/onnx/onnx.ts';
import { defineSpec } from '../../../lib/spec/spec.ts';
import { samplesOf } from '../samples.ts';

/** What a few steps of a small network lose on ONNX Runtime, step by step. */
export async function lossesOfFewSteps(): Promise<readonly number[]> {
  const spec = defineSpec({
    model: 'few-steps',
    task: 'binary',
    features: { x: { type: 'vector', length: 20 } },
    network: { hidden: [16] },
    optimizer: { type: 'adam', rate: 0.01 },
    engine: 'onnx',
  });
  const model = await onnxEngine({ threads: 1 }).compile(spec);
  const run = { minibatch: 8, rate: 0.01 };
  const { losses } = await model.train(model.initial(), samplesOf(spec, 64), run);
  return [...losses];
}

// As a program, for processors that are emulated.
if (process.argv[1] === import.meta.filename)
  process.stdout.write(JSON.stringify(await lossesOfFewSteps()));
