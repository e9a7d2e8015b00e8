import { describe, it } from 'vitest';
import { createEngine } from '../../lib/engine/create-engine.ts';
import { exportedOf } from '../../lib/export/exported.ts';
import { onnxFiles } from '../../lib/export/formats/onnx.ts';
import { safetensorsFiles } from '../../lib/export/formats/safetensors.ts';
import { tfjsFiles } from '../../lib/export/formats/tfjs.ts';
import { inputsJson } from '../../lib/export/inputs-json.ts';
import { compileModel } from '../../lib/model/model.ts';
import { defineSpec, type Spec, type SpecInput } from '../../lib/spec/spec.ts';
import { askOnnx, askTfjs } from './ask.ts';
import { answers, encoded, expectClose, labelOf, learnt, rows } from './exported-from.ts';
import { askPython, python } from './python.ts';

/** What a lag says of a label. */
function valuesOf({ task, label }: Spec, value: number): number[] {
  if (task !== 'multiclass') return [value];
  return (label.classes ?? []).map((_, place) => Number(place === value));
}

const features: SpecInput['features'] = {
  seconds: { type: 'number' },
  by_word: { type: 'targetMean', of: ['word'], halfLife: 9 },
  word: { type: 'category', buckets: 11, dimensions: 3 },
  team: { type: 'category', values: ['red', 'green'] },
  by_both: { type: 'targetMean', of: ['team', 'word'], buckets: 64 },
  ago: { type: 'lag', steps: [1, 3] },
  share: { type: 'number', log: true, clip: [-0.5, 0.25] },
  share_ago: { type: 'lag', source: 'share', steps: [2] },
};
const ignore = ['constant', 'rare', 'pixels'];
const usual = { model: 'late', features, ignore, network: { hidden: [5] } };

/** A share after its clip and its logarithm. */
function logarithm(share: unknown): number {
  const within = Math.min(Math.max(Number(share), -0.5), 0.25);
  return Math.sign(within) * Math.log1p(Math.abs(within));
}

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

describe('an exported model of what samples before have said', () => {
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
        share: logarithm(row.share),
        share_ago: logarithm(rows.at(-2)?.share),
      }));
      const wanted = inputsJson(exported);
      expectClose(await askOnnx(exported, await onnxFiles(exported), asked), own, 1e-6);
      expectClose(await askTfjs(exported, await tfjsFiles(exported), asked), own, 1e-4);
      if (python === undefined) return;
      const files = { ...(await safetensorsFiles(exported)), 'inputs.json': wanted };
      // (There a number is given as it is.)
      const plain = asked.map((each, row) => ({ ...each, share: rows[row]?.share }));
      expectClose(askPython(files, plain), own, 1e-5);
    },
  );
});
