import { expect, it } from 'vitest';
import { exportedOf } from '../../lib/export/exported.ts';
import { onnxFiles } from '../../lib/export/formats/onnx.ts';
import { tfjsFiles } from '../../lib/export/formats/tfjs.ts';
import { initialState } from '../../lib/model/model.ts';
import { draw, learnt, modelOf } from '../support/one-expert.ts';
import { askOnnx, askTfjs } from './ask.ts';
import { answers, expectClose } from './exported-from.ts';

// (What an exported tree decides is a sigmoid, which says a half of what lies on its cut.)
it.each([
  [2, 100],
  [4, 60],
  [10, 1_000],
])(
  'trees of whole numbers, %i apart to %i, are exported with all numbers between',
  async (step, most) => {
    const rows = Array.from({ length: 300 }, (_, i) => {
      const [a, b] = [0, 1].map((column) => step * Math.floor((draw(i, column) * most) / step));
      return { features: { a, b }, label: Number((a ?? 0) > most / 3) + ((b ?? 0) % 3) };
    });
    const model = await modelOf({
      predicts: 'trees',
      window: 500,
      trees: 30,
      leaves: 12,
      rate: 0.2,
    });
    const state = { ...initialState(model), ...(await learnt(model, rows)) };
    const alone = { shape: [2], data: Float32Array.of(0, 1) };
    const tensors = { ...state.tensors, 'weights/mixture/weights': alone };
    const exported = await exportedOf(model, { ...state, tensors });
    const asked = Array.from({ length: 1_000 }, (_, i) => ({
      a: Math.floor(draw(i, 5) * most),
      b: Math.floor(draw(i, 6) * most),
    }));
    const own = await answers(exported, asked);
    expect(new Set(own).size).toBeGreaterThan(20);
    expectClose(await askOnnx(exported, await onnxFiles(exported), asked), own, 1e-5);
    expectClose(await askTfjs(exported, await tfjsFiles(exported), asked), own, 1e-4);
  },
);
