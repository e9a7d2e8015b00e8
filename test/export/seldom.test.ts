import { describe, expect, it } from 'vitest';
import { createEngine } from '../../lib/engine/create-engine.ts';
import { type Exported, exportedOf } from '../../lib/export/exported.ts';
import { kerasFiles } from '../../lib/export/formats/keras.ts';
import { onnxFiles } from '../../lib/export/formats/onnx.ts';
import { safetensorsFiles } from '../../lib/export/formats/safetensors.ts';
import { tfjsFiles } from '../../lib/export/formats/tfjs.ts';
import { inputsJson } from '../../lib/export/inputs-json.ts';
import { compileModel } from '../../lib/model/model.ts';
import { defineSpec, type SpecInput } from '../../lib/spec/spec.ts';
import { askOnnx, askTfjs } from './ask.ts';
import { answers, encoded, expectClose, exportedFrom, learnt } from './exported-from.ts';
import { askPython, python } from './python.ts';

/** A model that has learnt rows, and the rows' answers. */
async function modelOf(input: SpecInput, rows: readonly Readonly<Record<string, unknown>>[]) {
  const spec = defineSpec(input);
  const engine = createEngine({ threads: 1, warn: () => {} });
  const model = { name: spec.model, ...(await compileModel(engine, spec)) };
  const exported = await exportedOf(model, await learnt(model, encoded(model, rows)));
  return { exported, own: await answers(exported, rows) };
}

const forgetting: SpecInput['online'] = {
  experts: [{ hidden: [4], rate: 0.3, halfLife: 100 }, { predicts: 'prior' }],
};
const seldom: Readonly<Record<string, Pick<SpecInput, 'features' | 'online'>>> = {
  'a number that forgets': {
    features: { x: { type: 'number', missing: 'mean', halfLife: 100 } },
  },
  'a number, to an expert that forgets': {
    features: { x: { type: 'number', missing: 'mean' } },
    online: forgetting,
  },
  'a number by its median': {
    features: { x: { type: 'number', missing: 'mean', standardize: 'robust' } },
    online: forgetting,
  },
  'a vector': {
    features: { x: { type: 'vector', length: 1, missing: 'mean' } },
    online: forgetting,
  },
};

describe('an exported model of what is seldom there', () => {
  it.each(Object.entries(seldom))(
    'answers what the model answers: %s',
    async (_name, { features, online }) => {
      const rows = Array.from({ length: 120 }, (_, i) => ({
        x: i % 20 === 7 ? (features.x?.type === 'vector' ? [i % 3] : i % 3) : null,
        y: i % 5,
      }));
      const { exported, own } = await modelOf(
        {
          model: 'seldom',
          task: 'binary',
          features: { ...features, y: { type: 'number' } },
          network: { hidden: [4] },
          optimizer: { type: 'adagrad', rate: 0.3 },
          ...(online && { online }),
        },
        rows,
      );
      const described = inputsJson(exported);
      // (Networks that forget have means of their own, which stand for what is missing.)
      const there = rows.flatMap(({ x, y }) => (x === null ? [] : [{ x: [x, 0].flat(), y }]));
      const ofThem = own.filter((_, row) => rows[row]?.x !== null);
      expectClose(await askOnnx(exported, await onnxFiles(exported), there), ofThem, 1e-6);
      expectClose(await askTfjs(exported, await tfjsFiles(exported), there), ofThem, 1e-5);
      if (python === undefined) return;
      const files = { ...(await safetensorsFiles(exported)), 'inputs.json': described };
      expectClose(askPython(files, there), ofThem, 1e-5);
      // As rows have it: a number, or nothing.
      expectClose(askPython(files, rows), own, 1e-5);
    },
  );
});

describe('the code of docs/python.md', () => {
  it.skipIf(python === undefined)('knows what stands for a time that is missing', async () => {
    const rows = Array.from({ length: 40 }, (_, i) => ({
      at: i % 4 === 3 ? null : `2024-03-${10 + (i % 19)}`,
      y: i % 5,
    }));
    for (const parts of [['elapsed'], ['weekday', 'elapsed']] as const) {
      const { exported, own } = await modelOf(
        {
          model: 'times',
          task: 'binary',
          features: {
            at: { type: 'timestamp', parts: [...parts], missing: '2020-01-01', indicator: true },
            y: { type: 'number' },
          },
          network: { hidden: [4] },
        },
        rows,
      );
      const files = { ...(await safetensorsFiles(exported)), 'inputs.json': inputsJson(exported) };
      const asked = rows.map(({ at, y }) => ({ at: at && numbersOf(exported, at), y }));
      expectClose(askPython(files, asked), own, 1e-5);
    }
  });

  /** The numbers of a time, as a sample has them before they are scaled. */
  function numbersOf({ model: { encoder }, features }: Exported, at: string): number[] {
    const { raw } = encoder.encodeFeatures([{ features: { at, y: 0 } }]).samples;
    const { offset = 0, width = 1 } = features.find(({ name }) => name === 'at') ?? {};
    return [...raw.slice(offset, offset + width - 1)];
  }
});

describe('an exported model of random Fourier features', () => {
  it('is written where a number that nothing bounds was out of all proportion', async () => {
    const rows = Array.from({ length: 60 }, (_, i) => ({ x: i === 50 ? 3e37 : i % 7 }));
    const exported = await exportedFrom(
      {
        model: 'far',
        task: 'binary',
        features: { x: { type: 'number', standardize: false } },
        network: { hidden: [2], fourier: { units: 3 } },
      },
      rows,
    );
    const usual = rows.filter(({ x }) => x < 7);
    const own = await answers(exported, usual);
    expectClose(await askTfjs(exported, await tfjsFiles(exported), usual), own, 1e-3);
    expect(Object.keys(await kerasFiles(exported))).toEqual(['model.h5']);
  });
});
