import { describe, expect, it } from 'vitest';
import { kerasFiles } from '../../lib/export/formats/keras.ts';
import { onnxFiles } from '../../lib/export/formats/onnx.ts';
import { safetensorsFiles } from '../../lib/export/formats/safetensors.ts';
import { tfjsFiles } from '../../lib/export/formats/tfjs.ts';
import { inputsJson } from '../../lib/export/inputs-json.ts';
import { activationName } from '../../lib/spec/experts-schema.ts';
import type { SpecInput } from '../../lib/spec/spec.ts';
import { layers } from '../engine/networks.ts';
import { draw } from '../engine/samples.ts';
import { askOnnx, askTfjs, type Question } from './ask.ts';
import { askChromium, chromium } from './chromium.ts';
import { answers, encoded, expectClose, exportedFrom, rows } from './exported-from.ts';
import { askPython, python } from './python.ts';
import { oddNames, tasks } from './tasks.ts';

const vectors = (length: number, count: number): Question[] =>
  Array.from({ length: count }, (_, i) => ({
    x: Array.from({ length }, (_element, k) => draw(i, k)),
  }));

/** The rows under the names that a model has for their values. */
function rowsFor({ features }: SpecInput): readonly Question[] {
  if (!Object.hasOwn(features, oddNames.seconds)) return rows;
  return rows.map((row) =>
    Object.fromEntries(Object.entries(oddNames).map(([name, odd]) => [odd, row[name]])),
  );
}

describe('an exported model', () => {
  it.each(Object.entries(tasks))('answers as the model does: %s', async (_name, input) => {
    const asked = rowsFor(input);
    const exported = await exportedFrom(input, asked);
    const own = await answers(exported, asked);
    expectClose(await askOnnx(exported, await onnxFiles(exported), asked), own, 1e-6);
    expectClose(await askTfjs(exported, await tfjsFiles(exported), asked), own, 1e-4);
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
      const questions = [{ [name]: 1 }, { [name]: 7 }];
      const odd = await exportedFrom({ model: 'odd', task: 'binary', features }, questions);
      const found = await askTfjs(odd, await tfjsFiles(odd), questions);
      expectClose(found, await answers(odd, questions), 1e-4);
    }
  });

  it('is made of what others and times say, as its card tells', async () => {
    const made: SpecInput = {
      model: 'made',
      task: 'binary',
      features: {
        team: { type: 'category', values: ['red', 'green'] },
        size: { type: 'number', missing: 'mean' },
        at: { type: 'timestamp', parts: ['hour', 'elapsed'], harmonics: { hour: 2 } },
        both: { type: 'cross', of: ['team', 'size'], buckets: 13, dimensions: 2 },
        fit: { type: 'category', values: ['s', 'm', 'l'], dimensions: 2 },
        exact: { type: 'cross', of: ['team', 'fit'], buckets: 'complete', dimensions: 2 },
        note: { type: 'text', buckets: 4, missing: 'mean' },
        price: { type: 'number', log: true, missing: 5, indicator: true },
      },
      network: { hidden: [4] },
    };
    const questions = [
      { team: 'red', fit: 'l', size: 3, at: '2001-02-28T12:00', note: 'as usual', price: 1e6 },
      { team: 'blue', fit: 'm', size: 4, at: '2001-02-28T18:00', note: '' },
      { team: 'red', fit: 's', at: '2001-03-01', note: '', price: 2 },
    ];
    const exported = await exportedFrom(made, questions);
    const own = await answers(exported, questions);
    const { raw } = encoded(exported.model, questions);
    const { inputs } = JSON.parse(inputsJson(exported));
    const named = (name: string) =>
      inputs.find((each: { readonly name: string }) => each.name === name);
    // The one that is missing is the mean of those that were learnt.
    expect(named('size').missing).toBe(3.5);
    expect(named('note').missing).toBe('mean');
    // As the card says: numbers for all but the cross, which has joined texts.
    const asked = questions.map(({ team, fit, size }, row) => ({
      team,
      fit,
      exact: [1 * 4 + 3, 0 * 4 + 2, 1 * 4 + 1][row],
      size: size === undefined ? [named('size').missing, 1] : [size, 0],
      at: [...raw.slice(13 * row + 2, 13 * row + 7)],
      note: [...raw.slice(13 * row + 7, 13 * row + 11)],
      price: [Math.log1p([1e6, 5, 2][row] ?? 0), row % 2],
      both: `${team}\u001f${size ?? 'missing'}`,
    }));
    expectClose(await askOnnx(exported, await onnxFiles(exported), asked), own, 1e-5);
    expect(inputs.map(({ width }: { width: number }) => width)).toEqual([1, 2, 5, 1, 1, 1, 4, 2]);
  });

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
      const exported = await exportedFrom(input, rowsFor(input));
      const files = { ...(await safetensorsFiles(exported)), 'inputs.json': inputsJson(exported) };
      expectClose(askPython(files, rowsFor(input)), await answers(exported, rowsFor(input)), 1e-5);
    },
  );

  it.skipIf(python === undefined)('knows in Python what is missing, whoever forgets', async () => {
    const input: SpecInput = {
      model: 'gaps',
      task: 'binary',
      features: {
        drifting: { type: 'number', missing: 'mean' },
        pair: { type: 'vector', length: 2, missing: 'mean', indicator: false },
        sum: { type: 'number', log: true, missing: 'mean', indicator: false },
        other: { type: 'number', missing: 5, indicator: true, log: true },
      },
      network: { hidden: [3] },
      online: { experts: [{ halfLife: 4 }, { hidden: [], halfLife: 9 }, { predicts: 'prior' }] },
    };
    const rows = Array.from({ length: 24 }, (_, i) => ({
      ...(i % 3 > 0 && { drifting: i * i }),
      ...(i % 4 > 0 && { pair: [i, -i * i] }),
      ...(i % 5 > 0 && { sum: 10 ** (i % 7) }),
      ...(i % 6 > 0 && { other: i }),
    }));
    const exported = await exportedFrom(input, rows);
    const files = { ...(await safetensorsFiles(exported)), 'inputs.json': inputsJson(exported) };
    const asked = rows.map(({ drifting, pair, sum, other }) => ({
      drifting: [drifting ?? null, Number(drifting === undefined)],
      pair: pair ?? [null, null],
      sum: sum ?? null,
      other: [other ?? null, Number(other === undefined)],
    }));
    expectClose(askPython(files, asked as never), await answers(exported, rows), 1e-5);
  });

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
