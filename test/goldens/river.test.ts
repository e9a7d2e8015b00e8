import { describe, expect, it } from 'vitest';
import { createEngine } from '../../lib/engine/create-engine.ts';
import { compileModel } from '../../lib/model/model.ts';
import { predict } from '../../lib/model/predict.ts';
import { defineSpec, type Spec } from '../../lib/spec/spec.ts';
import { learnMessages } from '../bench/progressive.ts';
import { readStream, streamFiles } from '../bench/stream-files.ts';
import { draw } from '../engine/samples.ts';

/** A row of numbers, and its label. */
type Row = { readonly x: readonly number[]; readonly y: number };
type Task = 'binary' | 'regression';

/**
 * What River's `StandardScaler() | LogisticRegression(SGD(.005))`, or `LinearRegression`, predicts
 * for each row before it learns it: the scaler learns a row before it scales it, a column that has
 * not varied is 0, the gradient of the squared error is twice the error, and the intercept has a
 * rate of its own, .01.
 */
function riversPredictions(rows: readonly Row[], task: Task): number[] {
  const width = rows[0]?.x.length ?? 0;
  const [mean, squares, weights] = [0, 0, 0].map(() => new Float64Array(width)) as [
    Float64Array,
    Float64Array,
    Float64Array,
  ];
  let [count, intercept] = [0, 0];
  const scaled = (x: readonly number[]) =>
    x.map((value, i) => {
      const variance = count === 0 ? 0 : (squares[i] ?? 0) / count;
      return variance > 0 ? (value - (mean[i] ?? 0)) / Math.sqrt(variance) : 0;
    });
  const answer = (x: readonly number[]) => {
    const sum = x.reduce((total, value, i) => total + value * (weights[i] ?? 0), intercept);
    return task === 'binary' ? 1 / (1 + Math.exp(-sum)) : sum;
  };
  return rows.map(({ x, y }) => {
    const predicted = answer(scaled(x));
    count += 1;
    x.forEach((value, i) => {
      const before = mean[i] ?? 0;
      mean[i] = before + (value - before) / count;
      squares[i] = (squares[i] ?? 0) + (value - before) * (value - (mean[i] ?? 0));
    });
    const seen = scaled(x);
    const gradient = (task === 'binary' ? 1 : 2) * (answer(seen) - y);
    seen.forEach((value, i) => {
      weights[i] = (weights[i] ?? 0) - 0.005 * gradient * value;
    });
    intercept -= 0.01 * gradient;
    return predicted;
  });
}

/**
 * The same in a spec. The squared error is halved here, so that its rate is twice as large; and
 * what no sample has is always 1, so that the intercept learns twice as fast as the weights.
 */
function specOf(width: number, task: Task): Spec {
  return defineSpec({
    model: 'river',
    task,
    features: {
      ...Object.fromEntries(
        Array.from({ length: width }, (_, i) => [`x${i}`, { type: 'number' as const }]),
      ),
      one: { type: 'number', standardize: false, missing: 1 },
    },
    ...(task === 'regression' ? { label: { standardize: false } } : {}),
    network: { hidden: [] },
    optimizer: { type: 'sgd', rate: task === 'binary' ? 0.005 : 0.01 },
    online: { minibatch: 1 },
  });
}

/** What a model predicts for each row before it learns it. */
async function ownPredictions(rows: readonly Row[], task: Task): Promise<number[]> {
  const spec = specOf(rows[0]?.x.length ?? 0, task);
  const engine = createEngine({ threads: 1, warn: () => {} });
  const model = { name: spec.model, ...(await compileModel(engine, spec)) };
  const { samples, refused } = model.encoder.encode(
    rows.map(({ x, y }) => ({
      features: Object.fromEntries(x.map((value, i) => [`x${i}`, value])),
      label: task === 'binary' ? y === 1 : y,
    })),
  );
  expect(refused).toEqual([]);
  const predictions: number[] = [];
  for await (const { message, before } of learnMessages(model, samples, 1))
    predictions.push(...(await predict(model, before, message)));
  return predictions;
}

/** Accuracy, or the mean absolute error. */
function scoreOf(predictions: readonly number[], rows: readonly Row[], task: Task): number {
  const each = rows.map(({ y }, i) => {
    const predicted = predictions[i] ?? Number.NaN;
    return task === 'binary' ? Number(predicted > 0.5 === (y === 1)) : Math.abs(predicted - y);
  });
  return each.reduce((sum, one) => sum + one, 0) / rows.length;
}

/** Rows of four numbers of other sizes, one of which varies late, that decide a label. */
const drawn = (task: Task): Row[] =>
  Array.from({ length: 600 }, (_, i) => {
    const x = [
      draw(i, 1),
      1_000 + 50 * draw(i, 2),
      i < 100 ? 3 : 3 + draw(i, 3),
      1e-3 * draw(i, 4),
    ];
    const sum = draw(i, 1) - draw(i, 2) + 2 * draw(i, 4) + 0.3 * draw(i, 5);
    return { x, y: task === 'binary' ? Number(sum > 0) : 10 + sum };
  });

const folder = process.env.MILLRACE_STREAMS;

/** The rows of a public stream, in its order. */
function rowsOf(name: string): Row[] {
  const file = streamFiles.find((each) => each.name === name);
  if (file === undefined || folder === undefined) throw new Error(`there is no ${name}`);
  const [head = '', ...lines] = readStream(folder, file).trim().split('\n');
  const label = head
    .split(',')
    .map((column) => column.trim())
    .indexOf(file.label === 'weight' ? 'grams' : file.label);
  return lines.map((line) => {
    const cells = line.split(',').map((cell) => cell.trim());
    const own = cells[label] ?? '';
    return {
      x: cells.filter((_, i) => i !== label).map(Number),
      y: /^(up|true)$/i.test(own) ? 1 : /^(down|false)$/i.test(own) ? 0 : Number(own),
    };
  });
}

describe("River's linear models, each of them a spec", () => {
  it.each<Task>(['binary', 'regression'])('predict the same before each row: %s', async (task) => {
    const rows = drawn(task);
    const expected = riversPredictions(rows, task);
    const found = await ownPredictions(rows, task);
    found.forEach((value, i) => {
      expect(Math.abs(value - (expected[i] ?? Number.NaN))).toBeLessThan(1e-4);
    });
  });

  /** River's figures, to the digits that it prints. */
  const published: readonly [stream: string, Task, figure: string][] = [
    ['phishing', 'binary', '0.8872'],
    ['bananas', 'binary', '0.5432'],
    ['elec2', 'binary', '0.8221'],
    ['chicks', 'regression', '24.4880'],
    ['approval', 'regression', '1.62028'],
  ];
  it.skipIf(folder === undefined).each(published)(
    'have the published figure on %s, where MILLRACE_STREAMS says where it is',
    async (name, task, figure) => {
      const rows = rowsOf(name);
      const digits = figure.split('.')[1]?.length;
      const score = scoreOf(await ownPredictions(rows, task), rows, task);
      expect(score.toFixed(digits)).toBe(figure);
    },
  );
});
