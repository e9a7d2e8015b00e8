import type { CompiledModel, EngineState } from '../engine/engine.ts';
import type { Judgement } from '../engine/experts/judgement.ts';
import { derive } from '../features/derived.ts';
import {
  type EncodedSamples,
  type Floats,
  type Layout,
  rowsWithin,
  sliceSamples,
} from '../features/samples.ts';
import {
  inOwnUnit,
  labelScaleOf,
  predictionRanges,
  standardize,
  standardizeLabels,
  unitOf,
} from '../features/scaling.ts';
import { indexed } from '../features/vocabularies.ts';
import { limits } from '../limits.ts';
import { bytesOf, type Parameters } from '../state/state.ts';
import { answerWeightsOf, weighedAnswers } from './answer-weights.ts';
import type { Model } from './model.ts';

/** The parts of a model that prediction needs. */
export type Predictor = Pick<Model, 'spec' | 'compiled' | 'encoder' | 'scaling'>;

/**
 * What a model predicts with some parameters: values in the label's unit, probabilities of true, or a probability for
 * each class.
 *
 * @param samples raw numbers, [count]; labels are not read
 * @returns [count, outputs]
 */
export async function predict(
  model: Predictor,
  parameters: Parameters,
  samples: EncodedSamples,
): Promise<Floats> {
  const rows = rowsByWork(model.compiled.work.predicted);
  return (await predictAll(model, parameters, samples, { rows })).predictions;
}

/** What a model predicts, and what its experts lost on it where it has some. */
export type Predicted = {
  /** See {@link predict}. */
  readonly predictions: Floats;
  readonly judgement?: Judgement;
};

/**
 * {@link predict} of labelled samples, and what each expert lost on them.
 *
 * @param samples as they weigh that are learnt
 */
export async function predictAndJudge(
  model: Predictor,
  parameters: Parameters,
  samples: EncodedSamples,
): Promise<Predicted> {
  const { compiled, spec } = model;
  const scale = labelScaleOf(parameters.statistics, model.encoder.layout);
  // (Before revision 20 the sums of a judgement are rounded by how it is cut.)
  const isCutAsBefore = compiled.experts !== undefined && (spec.revision ?? 0) < 20;
  const rows = isCutAsBefore ? rowsAsBefore(parameters) : rowsByWork(compiled.work.predicted);
  let judgement: Judgement | undefined;
  const onEach: OnEach = (each, block) => {
    const labels = standardizeLabels(block.labels, scale);
    const { count, weights } = block;
    const said = { each, labels, count, weights, unit: unitOf(scale) };
    judgement = compiled.experts?.losses(parameters, said, judgement);
  };
  const { predictions } = await predictAll(model, parameters, samples, { rows, onEach });
  return { predictions, ...(judgement && { judgement }) };
}

/** Is told what each expert says of a block, as the networks learn labels. */
type OnEach = (each: readonly Float32Array[], block: EncodedSamples) => void;

/**
 * What a model predicts, by blocks of samples: as many as are held at once.
 *
 * @param by how many at most there is time for at once
 */
async function predictAll(
  { spec, compiled, encoder: { layout }, scaling }: Predictor,
  parameters: Parameters,
  samples: EncodedSamples,
  { rows: most, onEach }: { readonly rows: number; readonly onEach?: OnEach },
): Promise<{ readonly predictions: Floats }> {
  const { statistics } = parameters;
  const scale = labelScaleOf(statistics, layout);
  const ranges = predictionRanges(statistics, scale);
  const { experts, outputs } = compiled;
  const weights = answerWeightsOf(spec, statistics);
  const rows = rowsOfBlock(layout, outputs * (experts?.count ?? 1), most);
  const parts: Floats[] = [];
  for (let start = 0; start < samples.count || parts.length === 0; start += rows) {
    const block = sliceSamples(samples, start, start + rows, layout);
    const scaled = standardize(derive(block, statistics, layout), statistics, scaling);
    const seen = indexed(scaled, statistics.vocabularies, layout);
    if (experts === undefined) {
      parts.push(inOwnUnit(await compiled.predict(parameters, seen), scale));
      continue;
    }
    const each = await experts.predictEach(parameters, seen, ranges);
    onEach?.(each, block);
    const answers = inOwnUnit(experts.mix(parameters, each), scale);
    parts.push(weights === undefined ? answers : weighedAnswers(answers, weights, outputs));
  }
  return { predictions: joined(parts) };
}

/** Samples that are predicted at a time: whole steps of an engine, whose cut says nothing. */
function rowsOfBlock(layout: Layout, answers: number, rows: number): number {
  const most = Math.min(Math.floor(limits.blockBytes / (4 * answers)), rows);
  const steps = Math.floor(rowsWithin(most, layout, limits.blockBytes) / limits.predictMinibatch);
  return Math.max(1, steps) * limits.predictMinibatch;
}

/** Samples that take about a second, by the products of each: what may be broken off between. */
export function rowsByWork(work: number): number {
  return Math.ceil(limits.blockWork / Math.max(work, 1));
}

/** Products of a sample that is learnt in a minibatch, its share of the step among them. */
export function workOfLearning({ work }: Pick<CompiledModel, 'work'>, minibatch: number): number {
  return work.learnt + work.step / minibatch;
}

/** How many samples were worked on at a time before revision 20, by the elements of the state. */
export function rowsAsBefore({ tensors }: EngineState): number {
  const elements = bytesOf(tensors) / Float32Array.BYTES_PER_ELEMENT;
  return Math.ceil(16e9 / Math.max(elements, 1));
}

function joined(parts: readonly Floats[]): Floats {
  const [first = new Float32Array(0)] = parts;
  if (parts.length === 1) return first;
  const length = parts.reduce((sum, part) => sum + part.length, 0);
  const all = first instanceof Float64Array ? new Float64Array(length) : new Float32Array(length);
  let offset = 0;
  for (const part of parts) {
    all.set(part, offset);
    offset += part.length;
  }
  return all;
}
