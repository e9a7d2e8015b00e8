import { InferenceSession, Tensor } from 'onnxruntime-node';
import { describe, expect, it } from 'vitest';
import { stepGraphs } from '../../../lib/engine/onnx/compile.ts';
import { encodeModel } from '../../../lib/engine/onnx/encode.ts';
import { rewrite } from '../../../lib/engine/rewrite/rewrite.ts';
import { type Graph, sizeOf, type Value } from '../../../lib/engine/trace/graph.ts';
import { nextName } from '../../../lib/engine/trace/step-names.ts';
import { defineSpec, type SpecInput } from '../../../lib/spec/spec.ts';
import { features, layers } from '../networks.ts';
import { draw } from '../samples.ts';

const generated: SpecInput = {
  model: 'rewrites',
  task: 'binary',
  features,
  network: { hidden: [5, 4] },
};

const specs: Record<string, () => SpecInput> = {
  'embeddings and sgd': () => ({ ...generated, optimizer: { type: 'sgd', rate: 0.1 } }),
  'one layer and sgd': () => ({
    ...generated,
    task: 'multiclass',
    label: { classes: ['a', 'b', 'c'] },
    features: { x: { type: 'vector', length: 4 } },
    network: { hidden: [] },
    optimizer: { type: 'sgd', rate: 0.1 },
  }),
  'embeddings and adam, clipped': () => ({ ...generated, clip: { norm: 0.1 } }),
  'three classes and momentum': () => ({
    ...generated,
    task: 'multiclass',
    label: { classes: ['a', 'b', 'c'] },
    optimizer: { type: 'momentum', rate: 0.1 },
  }),
  ...Object.fromEntries(
    [
      'Conv2D and MaxPooling2D',
      'BatchNormalization',
      'Dropout after Dense and Conv2D',
      'LSTM',
      'GRU',
    ].map((name) => [name, () => layers[name]?.() ?? generated]),
  ),
};

/** Values for an input of a step; the same elements in whatever shape it is declared. */
function feed({ name, type, shape }: Value, place: number): Tensor {
  const size = sizeOf(shape);
  const floats = (element: (i: number) => number) =>
    new Tensor(
      'float32',
      Float32Array.from({ length: size }, (_, i) => element(i)),
      shape,
    );
  if (type === 'int64') {
    return new Tensor(
      'int64',
      BigInt64Array.from({ length: size }, (_, i) => BigInt(i % 2)),
      shape,
    );
  }
  if (name === 'labels') return floats((i) => i % 2);
  if (name === 'shares') return floats(() => 1 / size);
  if (name === 'rate') return floats(() => 0.1);
  // Slots: sums of squares are positive, powers of β are below 1.
  if (name.startsWith('optimizer/')) return floats((i) => 0.5 + 0.3 * draw(place, i));
  return floats((i) => draw(place, i));
}

async function evaluate(graph: Graph): Promise<Record<string, Float32Array>> {
  // A step's outputs have the names of the inputs that they replace.
  const outputs = new Map([...graph.outputs].map(([name, value]) => [nextName(name), value]));
  const session = await InferenceSession.create(encodeModel({ ...graph, outputs }), {
    graphOptimizationLevel: 'disabled',
    intraOpNumThreads: 1,
    logSeverityLevel: 3,
  });
  const feeds = Object.fromEntries(
    graph.inputs.map((input, place) => [input.name, feed(input, place)]),
  );
  const results = await session.run(feeds);
  return Object.fromEntries(
    Object.entries(results).map(([name, value]) => [
      name,
      Float32Array.from(value.data as Float32Array),
    ]),
  );
}

function largestDifference(a: Float32Array, b: Float32Array): number {
  const largest = a.reduce((max, value) => Math.max(max, Math.abs(value)), 1e-6);
  return (
    a.reduce((max, value, i) => Math.max(max, Math.abs(value - (b[i] ?? Number.NaN))), 0) / largest
  );
}

const changed = new Set<string>();

describe('each rewrite', () => {
  it.each(Object.entries(specs))(
    'leaves the values of a step as they are, with %s',
    async (_name, input) => {
      const { traced, layout } = await stepGraphs(defineSpec(input()), 4);
      const expected = await evaluate(traced);
      const stages: [string, Graph][] = [];
      const stepInputs = new Set([...layout.columns.map(({ name }) => name), ...layout.perStep]);
      rewrite(traced, stepInputs, { onRewrite: (name, graph) => void stages.push([name, graph]) });
      let before = JSON.stringify(traced.nodes);
      for (const [name, graph] of stages) {
        const after = JSON.stringify(graph.nodes);
        if (after === before) continue;
        changed.add(name);
        before = after;
        const values = await evaluate(graph);
        expect(Object.keys(values)).toEqual(Object.keys(expected));
        for (const [output, data] of Object.entries(expected)) {
          expect(values[output]).toHaveLength(data.length);
          expect(
            largestDifference(data, values[output] ?? data.map(() => Number.NaN)),
            `${output} after ${name}`,
          ).toBeLessThan(1e-5);
        }
      }
    },
  );

  it('has changed something in one of them', () => {
    expect([...changed].sort()).toEqual([
      'fuseBias',
      'fuseDescent',
      'multiplyOnes',
      'removeDeadNodes',
      'removeIdentities',
      'scaleInputs',
      'shareSubexpressions',
      'sinkReshapes',
    ]);
  });
});
