import { outOfTime } from '../errors.ts';
import {
  noSampleId,
  readSampleId,
  type SampleId,
  type WithId,
  withIds,
} from '../features/sample-id.ts';
import { eachInOrder } from '../in-order.ts';
import { type Asked, keepAsked } from '../journal/asked.ts';
import { keepDue } from '../journal/due.ts';
import { limits } from '../limits.ts';
import type { Model } from '../model/model.ts';
import { plainJson } from '../parse.ts';
import type { Ports } from '../ports/ports.ts';
import { type Accepted, accepted, type Refused, refuse } from '../refusal.ts';
import type { Spec } from '../spec/spec.ts';
import type { State } from '../state/state.ts';
import type { SamplePrediction } from './predict-samples.ts';

/** Who is asked: a model at an entry, and the seconds that are left for it. */
type Asking = Pick<Model, 'name' | 'encoder' | 'spec' | 'specHash'> &
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
  { name: model, encoder, spec, specHash, sequence, secondsLeft }: Asking,
  samples: readonly unknown[],
  predictions: readonly SamplePrediction[],
): Promise<readonly SamplePrediction[]> {
  const questions = withIds(samples);
  if (questions.length === 0) return predictions;
  const answers = [...predictions];
  const askedAt = ports.now();
  const time = new Date(askedAt).toISOString();
  const keep = async ({ index, sample }: WithId): Promise<Kept | Refused> => {
    const prediction = predictions[index];
    if (prediction === undefined || 'refused' in prediction) return accepted;
    const id = readSampleId(sample.id);
    if (id === undefined) return noSampleId(sample.id);
    const features = asJson(sample.features);
    if (features === undefined)
      return refuse('wrong-type', 'its features are no JSON, and not kept');
    const [wrong] = encoder.encodeFeatures([{ features }]).refused;
    if (wrong !== undefined) {
      const reason = `as JSON, in which it is kept, ${wrong.field} ${wrong.reason}`;
      return refuse('wrong-type', reason);
    }
    const asked = { id, features, prediction, time, sequence, spec: specHash };
    const outcome = await keepAsked(ports, model, asked);
    return outcome.ok ? { ...outcome, question: { id, features } } : outcome;
  };
  const keepInTime = (question: (typeof questions)[number]) => {
    if (secondsLeft() < limits.answerReserveSeconds) throw outOfTime('keeping what was asked');
    return keep(question);
  };
  const all = eachInOrder(limits.keptAtOnce, questions, keepInTime);
  const kept: KeptQuestion[] = [];
  for await (const [{ index }, outcome] of all) {
    if (!outcome.ok) answers[index] = { refused: refusedId(outcome) };
    else if (outcome.question !== undefined) kept.push(outcome.question);
  }
  await waitForLabels(ports, { model, spec, askedAt }, kept);
  return answers;
}

/** A question that waits for its label, as it is kept. */
type KeptQuestion = Pick<Asked, 'id' | 'features'>;

/** Without a question if there was no answer, so that nothing is kept. */
type Kept = Accepted & { readonly question?: KeptQuestion };

/** Keeps until when labels are waited for, where the spec says how long. */
async function waitForLabels(
  ports: Ports,
  {
    model,
    spec,
    askedAt,
  }: { readonly model: string; readonly spec: Spec; readonly askedAt: number },
  kept: readonly KeptQuestion[],
): Promise<void> {
  const { labelWindow } = spec.online;
  if (labelWindow === undefined) return;
  const until = askedAt + labelWindow.hours * 3_600_000;
  let [ids, bytes]: [SampleId[], number] = [[], 0];
  const keep = async () => {
    const due = { ids, label: labelWindow.default, bytes };
    if (ids.length > 0) await keepDue(ports, model, due, { until, name: ports.nonce() });
    [ids, bytes] = [[], 0];
  };
  // What is labelled by one message: so many, and no more than it can bring into an entry.
  for (const { id, features } of kept) {
    const own = Buffer.byteLength(JSON.stringify(features));
    if (ids.length >= limits.defaultsAtOnce || bytes + own > limits.lateBytes) await keep();
    ids.push(id);
    bytes += own;
  }
  await keep();
}

function refusedId({ code, reason }: Refused) {
  return { field: 'id', code, reason };
}

/** Features as a message would have brought them; undefined if they are no JSON. */
function asJson(features: unknown): Readonly<Record<string, unknown>> | undefined {
  try {
    return JSON.parse(JSON.stringify(features, plainJson));
  } catch {
    return undefined;
  }
}
