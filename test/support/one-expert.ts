import { expect } from 'vitest';
import { createEngine } from '../../lib/engine/create-engine.ts';
import { hashIntegers } from '../../lib/features/hash.ts';
import { compileModel, type Model } from '../../lib/model/model.ts';
import { predict } from '../../lib/model/predict.ts';
import type { Expert } from '../../lib/spec/experts-schema.ts';
import { defineSpec, type SpecInput } from '../../lib/spec/spec.ts';
import type { Parameters } from '../../lib/state/state.ts';
import { learnAll, learnMessages } from '../bench/progressive.ts';

/** A number between 0 and 1, of a place. */
export const draw = (...place: number[]): number => (hashIntegers(31, ...place) + 0.5) / 2 ** 32;

/** A sample as a message has it. */
export type Row = {
  readonly features: Readonly<Record<string, unknown>>;
  readonly label: unknown;
  readonly weight?: number;
};

/** A regression of two numbers, whose experts are to be given. */
export const declared = {
  model: 'm',
  task: 'regression',
  features: { a: { type: 'number' }, b: { type: 'number' } },
  network: { hidden: [] },
  optimizer: { type: 'adagrad', rate: 0.1 },
} satisfies SpecInput;

/** A model whose second expert is the one that is looked at. */
export async function modelOf(expert: Expert, own: Partial<SpecInput> = {}): Promise<Model> {
  const spec = defineSpec({ ...declared, ...own, online: { experts: [{ hidden: [] }, expert] } });
  const engine = createEngine({ threads: 1, warn: () => undefined });
  return { name: 'm', ...(await compileModel(engine, spec)) };
}

/** The parameters once rows are learnt, some to a message. */
export async function learnt(
  model: Model,
  rows: readonly Row[],
  { size = 7, from = model.initial }: { readonly size?: number; readonly from?: Parameters } = {},
): Promise<Parameters> {
  let parameters = from;
  for (let start = 0; start < rows.length; start += size) {
    const { samples, refused } = model.encoder.encode(rows.slice(start, start + size));
    expect(refused).toEqual([]);
    parameters = { ...parameters, ...(await learnAll(model, parameters, samples)).parameters };
  }
  return parameters;
}

/** What the second expert answers, [rows, outputs], in the label's own unit. */
export async function answered(
  model: Model,
  parameters: Parameters,
  rows: readonly Row[],
): Promise<number[]> {
  const { samples } = model.encoder.encode(rows);
  const alone = { shape: [2], data: Float32Array.of(0, 1) };
  const tensors = { ...parameters.tensors, 'weights/mixture/weights': alone };
  return [...(await predict(model, { ...parameters, tensors }, samples))];
}

/** The share of rows that default experts tell right in messages of 20: all, or without some. */
export async function sharesRight(
  rows: readonly Row[],
  own: Partial<SpecInput>,
  isLeftOut: (expert: Expert) => boolean,
): Promise<{ readonly whole: number; readonly without: number }> {
  const spec = defineSpec({ ...declared, ...own, online: { experts: 'default' } });
  const rightOf = async (experts: readonly Expert[] = []) => {
    const engine = createEngine({ threads: 1, warn: () => undefined });
    const alone = { ...spec, online: { ...spec.online, experts: [...experts] } };
    const model = { name: 'm', ...(await compileModel(engine, alone)) };
    let correct = 0;
    const { samples } = model.encoder.encode(rows);
    for await (const { learned } of learnMessages(model, samples, 20))
      correct += learned.scores.correct;
    return correct / rows.length;
  };
  const { experts } = spec.online;
  const fewer = experts?.filter((each) => !isLeftOut(each));
  return { whole: await rightOf(experts), without: await rightOf(fewer) };
}

/** Two islands, whose labels are about 10 and 30. */
export const islands = (count: number, first = 0): Row[] =>
  Array.from({ length: count }, (_, i) => {
    const side = draw(first + i, 0) < 0.5 ? -1 : 1;
    return {
      features: { a: side + draw(first + i, 1) / 10, b: 5 * side },
      label: 20 + 10 * side + draw(first + i, 2),
    };
  });
/** A sample of each. */
export const [left, right] = [
  { features: { a: -1, b: -5 }, label: 0 },
  { features: { a: 1, b: 5 }, label: 0 },
];
