import { expect, it } from 'vitest';
import { exportedOf } from '../../lib/export/exported.ts';
import { onnxFiles } from '../../lib/export/formats/onnx.ts';
import { tfjsFiles } from '../../lib/export/formats/tfjs.ts';
import { initialState } from '../../lib/model/model.ts';
import { defineSpec } from '../../lib/spec/spec.ts';
import { draw, learnt, modelOf } from '../support/one-expert.ts';
import { askOnnx, askTfjs } from './ask.ts';
import { answers, encoded, expectClose } from './exported-from.ts';

const trees = { predicts: 'trees', window: 500, trees: 30, leaves: 12, rate: 0.2 } as const;
const words = ['late', 'broken', 'thanks', 'again', 'never', 'price'];

it.each([4, 300])(
  'trees look past the words of a text, of %i numbers, here and exported',
  async (buckets) => {
    const rowOf = (i: number) => {
      const [a = 0, b = 0] = [0, 1].map((column) => Math.round(draw(i, column) * 100) / 100);
      const note = words.filter((_, k) => draw(i, 10 + k) < 0.4).join(' ');
      return { note, a, team: draw(i, 3) < 0.5 ? 'x' : 'y', b };
    };
    const rows = Array.from({ length: 600 }, (_, i) => {
      const features = rowOf(i);
      const isHigh = features.a > 0.4 === features.b > 0.7;
      return { features, label: (isHigh ? 20 : 0) + (features.team === 'y' ? 5 : 0) };
    });
    const model = await modelOf(trees, {
      features: {
        note: { type: 'text', buckets },
        a: { type: 'number' },
        team: { type: 'category', values: ['x', 'y'] },
        b: { type: 'number' },
      },
    });
    const state = { ...initialState(model), ...(await learnt(model, rows)) };
    const [kept] = Object.entries(state.tensors).filter(([name]) => name.endsWith('trees/numbers'));
    expect(kept?.[1].shape).toEqual([500, 2]);
    const alone = { shape: [2], data: Float32Array.of(0, 1) };
    const tensors = { ...state.tensors, 'weights/mixture/weights': alone };
    const exported = await exportedOf(model, { ...state, tensors });
    const asked = Array.from({ length: 200 }, (_, i) => rowOf(10_000 + i));
    const own = await answers(exported, asked);
    expect(new Set(own.map(Math.round)).size).toBeGreaterThan(3);
    const silent = asked.map((each) => ({ ...each, note: 'nothing of the kind' }));
    expect(await answers(exported, silent)).toEqual(own);
    // (A text goes in as its numbers, which are the first of a row.)
    const { raw } = encoded(exported.model, asked);
    const width = raw.length / asked.length;
    const given = asked.map((each, i) => ({
      ...each,
      note: [...raw.subarray(i * width, i * width + buckets)],
    }));
    expectClose(await askOnnx(exported, await onnxFiles(exported), given), own, 1e-5);
    expectClose(await askTfjs(exported, await tfjsFiles(exported), given), own, 1e-4);
  },
);

it('trees alone are refused where there are texts alone', () => {
  expect(() =>
    defineSpec({
      model: 'm',
      task: 'binary',
      features: { note: { type: 'text' } },
      online: { experts: [trees, { predicts: 'prior' }] },
    }),
  ).toThrow('an expert of trees looks at numbers but those of texts, and at categories');
});
