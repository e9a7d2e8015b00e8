import { describe, expect, it } from 'vitest';
import { createEngine } from '../../lib/engine/create-engine.ts';
import { tfjsEngine } from '../../lib/engine/tfjs.ts';
import { inputsJson } from '../../lib/export/card.ts';
import { type Exported, exportedOf } from '../../lib/export/exported.ts';
import { kerasFiles } from '../../lib/export/formats/keras.ts';
import { onnxFiles } from '../../lib/export/formats/onnx.ts';
import { safetensorsFiles } from '../../lib/export/formats/safetensors.ts';
import { tfjsFiles } from '../../lib/export/formats/tfjs.ts';
import type { EncodedSamples, Floats } from '../../lib/features/samples.ts';
import { statisticsOf } from '../../lib/features/statistics.ts';
import { learnWithoutTest } from '../../lib/model/learn.ts';
import { compileModel, initialState } from '../../lib/model/model.ts';
import { predict } from '../../lib/model/predict.ts';
import { activationName } from '../../lib/spec/experts-schema.ts';
import { defineSpec, type Spec, type SpecInput } from '../../lib/spec/spec.ts';
import { layers } from '../engine/networks.ts';
import { draw } from '../engine/samples.ts';
import { askOnnx, askTfjs, type Question } from './ask.ts';
import { askChromium, chromium } from './chromium.ts';
import { askPython, python } from './python.ts';
import { tasks } from './tasks.ts';

/** A model with weights from its seed, and statistics of the questions. */
async function exportedFrom(input: SpecInput, questions: readonly Question[]): Promise<Exported> {
  const spec = defineSpec(input);
  const { experts } = spec.online;
  const engine = experts === undefined ? tfjsEngine : createEngine({ threads: 1, warn: () => {} });
  const model = { name: spec.model, ...(await compileModel(engine, spec)) };
  const samples = encoded(model, questions);
  if (experts !== undefined) return exportedOf(model, await learnt(model, samples));
  const labels = samples.labels.map((_, i) => 1_000 + 50 * draw(i));
  const statistics = statisticsOf({ ...samples, labels }, model.encoder.layout);
  return await exportedOf(model, { ...initialState(model), statistics });
}

/** A state that has learnt samples, whose labels are drawn: then each expert counts differently. */
async function learnt(
  model: Exported['model'],
  samples: EncodedSamples,
): Promise<Exported['state']> {
  const labels = samples.labels.map((_, i) => labelOf(model.spec, i));
  const weights = samples.weights.map(() => 1);
  const state = initialState(model);
  return { ...state, ...(await learnWithoutTest(model, state, { ...samples, labels, weights })) };
}

/** A label that is drawn: a value, or the place of a class. */
function labelOf({ task, label }: Spec, row: number): number {
  if (task === 'regression') return 1_000 + 50 * draw(row);
  return Math.floor(((draw(row) + 1) / 2) * (label.classes?.length ?? 2));
}

/** What a lag says of a label. */
function valuesOf({ task, label }: Spec, value: number): number[] {
  if (task !== 'multiclass') return [value];
  return (label.classes ?? []).map((_, place) => Number(place === value));
}

function encoded(
  { encoder }: Pick<Exported['model'], 'encoder'>,
  questions: readonly Question[],
): EncodedSamples {
  const { samples, refused } = encoder.encodeFeatures(questions.map((features) => ({ features })));
  expect(refused).toEqual([]);
  return samples;
}

const answers = ({ model, state }: Exported, questions: readonly Question[]) =>
  predict(model, state, encoded(model, questions));

/** Expects each number to be the other, up to rounding to float32 on the way. */
function expectClose(found: Floats, wanted: Floats, tolerance = 1e-5): void {
  expect(found.length).toBe(wanted.length);
  found.forEach((value, i) => {
    const other = wanted[i] ?? Number.NaN;
    expect(Math.abs(value - other)).toBeLessThanOrEqual(tolerance * Math.max(1, Math.abs(other)));
  });
}

const vectors = (length: number, count: number): Question[] =>
  Array.from({ length: count }, (_, i) => ({
    x: Array.from({ length }, (_element, k) => draw(i, k)),
  }));

const rows: Question[] = Array.from({ length: 40 }, (_, i) => ({
  seconds: 1_700_000_000 + i * 128,
  share: draw(i, 1),
  constant: 3,
  team: ['red', 'green', 'blue', 'Red'][i % 4],
  word: `wörd-${i % 17} 🙂`,
  rare: `rare-${i % 3 === 2 ? i : i % 7}`,
  pixels: Array.from({ length: 5 }, (_element, k) => 200 + 50 * draw(i, k)),
}));

const features: SpecInput['features'] = {
  seconds: { type: 'number' },
  by_word: { type: 'targetMean', of: ['word'], halfLife: 9 },
  word: { type: 'category', buckets: 11, dimensions: 3 },
  team: { type: 'category', values: ['red', 'green'] },
  by_both: { type: 'targetMean', of: ['team', 'word'], buckets: 64 },
  ago: { type: 'lag', steps: [1, 3] },
};
const ignore = ['share', 'constant', 'rare', 'pixels'];
const usual = { model: 'late', features, ignore, network: { hidden: [5] } };

/** Models of what samples before have said. */
const histories: Readonly<Record<string, SpecInput>> = {
  'a regression': { ...usual, task: 'regression' },
  'true or false': { ...usual, task: 'binary' },
  'three classes': { ...usual, task: 'multiclass', label: { classes: ['a', 'b', 'c'] } },
  'a regression with experts': {
    ...usual,
    task: 'regression',
    online: { experts: [{ hidden: [4] }, { hidden: [], halfLife: 20 }, { predicts: 'prior' }] },
  },
};

describe('an exported model', () => {
  it.each(Object.entries(tasks))('answers as the model does: %s', async (_name, input) => {
    const exported = await exportedFrom(input, rows);
    const own = await answers(exported, rows);
    expectClose(await askOnnx(exported, await onnxFiles(exported), rows), own, 1e-6);
    expectClose(await askTfjs(exported, await tfjsFiles(exported), rows), own, 1e-4);
  });

  it('has inputs under the names of features, whatever they are', async () => {
    const named: SpecInput = {
      model: 'names',
      task: 'multiclass',
      features: {
        prediction: { type: 'number' },
        v1: { type: 'number' },
        output: { type: 'number' },
        hidden_1: { type: 'category', values: ['True', '7.0'] },
      },
      label: { classes: ['a', 'b'] },
      network: { hidden: [4] },
    };
    const asked = Array.from({ length: 9 }, (_, i) => ({
      prediction: draw(i, 1),
      v1: draw(i, 2),
      output: 1_000_000 + i,
      hidden_1: ['true', '7', 'x'][i % 3],
    }));
    const exported = await exportedFrom(named, asked);
    const own = await answers(exported, asked);
    expectClose(await askOnnx(exported, await onnxFiles(exported), asked), own, 1e-6);
    expectClose(await askTfjs(exported, await tfjsFiles(exported), asked), own, 1e-4);
    for (const name of ['_x', 'constructor', 'valueOf']) {
      const features: SpecInput['features'] = { [name]: { type: 'number' } };
      const odd = await exportedFrom({ model: 'odd', task: 'binary', features }, [{ [name]: 1 }]);
      await expect(tfjsFiles(odd)).rejects.toThrow(`an input cannot be called ${name} there`);
    }
  });

  it('is made of what others and times say, as its card tells', async () => {
    const made: SpecInput = {
      model: 'made',
      task: 'binary',
      features: {
        team: { type: 'category', values: ['red', 'green'] },
        size: { type: 'number', missing: 'mean' },
        at: { type: 'timestamp', parts: ['hour', 'elapsed'] },
        both: { type: 'cross', of: ['team', 'size'], buckets: 13, dimensions: 2 },
        note: { type: 'text', buckets: 4 },
        price: { type: 'number', log: true },
      },
      network: { hidden: [4] },
    };
    const questions = [
      { team: 'red', size: 3, at: '2001-02-28T12:00', note: 'as usual', price: 1e6 },
      { team: 'blue', size: 4, at: '2001-02-28T18:00', note: '', price: -20 },
    ];
    const exported = await exportedFrom(made, questions);
    const own = await answers(exported, questions);
    const { raw } = encoded(exported.model, questions);
    // As the card says: numbers for all but the cross, which has joined texts.
    const asked = questions.map(({ team, size }, row) => ({
      team,
      size: [...raw.slice(10 * row, 10 * row + 2)],
      at: [...raw.slice(10 * row + 2, 10 * row + 5)],
      note: [...raw.slice(10 * row + 5, 10 * row + 9)],
      price: [1e6, -20].map((x) => Math.sign(x) * Math.log1p(Math.abs(x)))[row],
      both: `${team}\u001f${size}`,
    }));
    expectClose(await askOnnx(exported, await onnxFiles(exported), asked), own, 1e-5);
    const { inputs } = JSON.parse(inputsJson(exported));
    expect(inputs.map(({ width }: { width: number }) => width)).toEqual([1, 2, 3, 1, 4, 1]);
  });

  it.each(Object.entries(histories))(
    'has the mean labels of its state, and asks for earlier values: %s',
    async (_name, input) => {
      const spec = defineSpec(input);
      const engine = createEngine({ threads: 1, warn: () => {} });
      const model = { name: spec.model, ...(await compileModel(engine, spec)) };
      const samples = encoded(model, rows);
      const exported = await exportedOf(model, await learnt(model, samples));
      const own = await answers(exported, rows);
      // Only what is predicted behind all of them is asked: the last labels are the earlier values.
      const labels = rows.map((_, row) => labelOf(spec, row));
      const earlier = [1, 3].flatMap((step) => valuesOf(spec, labels.at(-step) ?? 0));
      const asked = rows.map((row) => ({
        ...row,
        by_word: row.word,
        by_both: `${row.team}\u001f${row.word}`,
        ago: earlier,
      }));
      const wanted = inputsJson(exported);
      expectClose(await askOnnx(exported, await onnxFiles(exported), asked), own, 1e-6);
      expectClose(await askTfjs(exported, await tfjsFiles(exported), asked), own, 1e-4);
      if (python === undefined) return;
      const files = { ...(await safetensorsFiles(exported)), 'inputs.json': wanted };
      expectClose(askPython(files, asked), own, 1e-5);
    },
  );

  it('leaves out features that its network does not use', async () => {
    const [declared] = Object.values(layers).map((input) => input());
    const features = { ...declared?.features, idle: { type: 'number' as const } };
    const questions = vectors(6, 5).map((each) => ({ ...each, idle: 1 }));
    const exported = await exportedFrom({ ...(declared as SpecInput), features }, questions);
    expect(exported.features.map(({ name }) => name)).toEqual(['x']);
    const found = await askTfjs(exported, await tfjsFiles(exported), questions);
    expectClose(found, await answers(exported, questions));
  });

  it('is not written for Keras where that would answer otherwise', async () => {
    const hard = layers['the activation hardSigmoid'] as () => SpecInput;
    const exported = await exportedFrom(hard(), vectors(6, 5));
    await expect(kerasFiles(exported)).rejects.toThrow(
      'hard_sigmoid is another function in Keras 3',
    );
  });

  it.skipIf(python === undefined).each(Object.entries(tasks))(
    'answers in Python, with the code of docs/python.md: %s',
    async (_name, input) => {
      const exported = await exportedFrom(input, rows);
      const files = { ...(await safetensorsFiles(exported)), 'inputs.json': inputsJson(exported) };
      expectClose(askPython(files, rows), await answers(exported, rows), 1e-5);
    },
  );

  it.skipIf(python === undefined)('takes logarithms in Python, as inputs.json says', async () => {
    const input: SpecInput = {
      model: 'demand-1',
      task: 'regression',
      features: {
        price: { type: 'number', log: true, clip: [-500, 90_000] },
        share: { type: 'number', clip: [0, 0.5] },
      },
      network: { hidden: [4] },
    };
    const prices = rows.map(({ share }, i) => ({ price: (i - 9) ** 5, share }));
    const exported = await exportedFrom(input, prices);
    const files = { ...(await safetensorsFiles(exported)), 'inputs.json': inputsJson(exported) };
    expectClose(askPython(files, prices), await answers(exported, prices), 1e-5);
  });

  it.skipIf(python === undefined).each(activationName.options)(
    'answers in Python with hidden layers of %s units',
    async (activation) => {
      const input: SpecInput = {
        model: 'demand-1',
        task: 'regression',
        features: { pixels: { type: 'vector', length: 5, standardize: true } },
        network: { hidden: [6, 5], activation },
      };
      const pixels = rows.map((row) => ({ pixels: row.pixels }));
      const exported = await exportedFrom(input, pixels);
      const files = { ...(await safetensorsFiles(exported)), 'inputs.json': inputsJson(exported) };
      expectClose(askPython(files, pixels), await answers(exported, pixels), 1e-5);
    },
  );

  it.skipIf(chromium === undefined)('answers in a browser', async () => {
    const exported = await exportedFrom(tasks['a multiclass model'] as SpecInput, rows);
    const found = await askChromium(exported, await tfjsFiles(exported), rows);
    expectClose(found, await answers(exported, rows), 1e-4);
  });
});

describe('an exported network', () => {
  it.each(Object.entries(layers))('answers as the model does, with %s', async (_name, input) => {
    const declared = input();
    const x = declared.features.x;
    const length = x?.type === 'vector' ? x.length : 0;
    const questions = vectors(length, 70);
    const exported = await exportedFrom(declared, questions);
    const own = await answers(exported, questions);
    expectClose(await askTfjs(exported, await tfjsFiles(exported), questions), own);
    const files = await onnxFiles(exported);
    expectClose(await askOnnx(exported, files, questions), own);
    expectClose(await askOnnx(exported, files, questions.slice(0, 1)), own.slice(0, 1));
  });
});
