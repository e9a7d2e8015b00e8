import { outOfTime } from '../errors.ts';
import { noSampleId, readSampleId, type SampleId } from '../features/sample-id.ts';
import { keepAsked } from '../journal/asked.ts';
import { limits } from '../limits.ts';
import type { Model } from '../model/model.ts';
import { isRecord, plainJson } from '../parse.ts';
import type { Ports } from '../ports/ports.ts';
import { type Refused, refuse } from '../refusal.ts';
import type { State } from '../state/state.ts';
import type { SamplePrediction } from './predict-samples.ts';

/** A question under an id, with its answer and its place among the others. */
type Question = {
  readonly index: number;
  readonly id: SampleId | undefined;
  readonly sample: Readonly<Record<string, unknown>>;
};

/** Who is asked: a model at an entry, and the seconds that are left for it. */
type Asking = Pick<Model, 'name' | 'encoder'> &
  Pick<State, 'sequence'> & { readonly secondsLeft: () => number };

/**
 * Keeps the questions that have an id, with what is answered, until their labels come. What cannot
 * be kept is not answered: its label could never be learnt.
 *
 * @returns the answers, with the reasons of those that are not kept in their places
 * @throws MillraceError kind `unavailable` if S3 does not take them
 */
export async function keepQuestions(
  ports: Ports,
  { name: model, encoder, sequence, secondsLeft }: Asking,
  samples: readonly unknown[],
  predictions: readonly SamplePrediction[],
): Promise<readonly SamplePrediction[]> {
  const questions = samples.flatMap((sample, index): Question[] =>
    isRecord(sample) && Object.hasOwn(sample, 'id')
      ? [{ index, id: readSampleId(sample.id), sample }]
      : [],
  );
  if (questions.length === 0) return predictions;
  const answers = [...predictions];
  const time = new Date(ports.now()).toISOString();
  const keep = async ({ index, id, sample }: Question) => {
    const prediction = answers[index];
    if (prediction === undefined || 'refused' in prediction) return;
    if (id === undefined) {
      answers[index] = { refused: refusedId(noSampleId(sample.id)) };
      return;
    }
    const features = asJson(sample.features);
    const [wrong] = encoder.encodeFeatures([{ features }]).refused;
    if (wrong !== undefined) {
      const reason = `as JSON, in which it is kept, ${wrong.field} ${wrong.reason}`;
      answers[index] = { refused: refusedId(refuse('wrong-type', reason)) };
      return;
    }
    const asked = { id, features, prediction, time, sequence };
    const kept = await keepAsked(ports, model, asked);
    if (!kept.ok) answers[index] = { refused: refusedId(kept) };
  };
  for (let start = 0; start < questions.length; start += limits.readsAtOnce) {
    if (secondsLeft() < limits.answerReserveSeconds) throw outOfTime('keeping what was asked');
    await Promise.all(questions.slice(start, start + limits.readsAtOnce).map(keep));
  }
  return answers;
}

function refusedId({ code, reason }: Refused) {
  return { field: 'id', code, reason };
}

/** Features as a message would have brought them. */
function asJson(features: unknown): Readonly<Record<string, unknown>> {
  return JSON.parse(JSON.stringify(features, plainJson));
}
