import * as z from 'zod';
import { invalid, isOfKind, MillraceError } from '../errors.ts';
import { classNames } from '../features/class-weights.ts';
import { readTable } from '../features/read-table.ts';
import { limits } from '../limits.ts';
import { type RecentModels, remember } from '../model/recent-models.ts';
import { isRecord, parse, strictObject } from '../parse.ts';
import type { Ports } from '../ports/ports.ts';
import { type Refused, refuse } from '../refusal.ts';
import { modelName, producerName } from '../spec/names.ts';
import { type NotReached, type OpenModel, openModel, type Predicted } from './open-model.ts';

/** What is asked of the function that predicts. */
const requestSchema = strictObject({
  model: modelName,
  /** Features by name; a label is not needed, and not read. */
  samples: z.array(z.unknown()).min(1, 'must hold at least one sample'),
  maxAgeSeconds: z.number().min(0).optional(),
  atLeast: z
    .union([
      z.int().nonnegative(),
      strictObject({ producer: producerName, seq: z.int().positive() }),
    ])
    .optional(),
});

type ListRequest = z.input<typeof requestSchema>;

/** A request for predictions, of a list of samples or of the columns of one. */
export type PredictRequest =
  | ListRequest
  | (Omit<ListRequest, 'samples'> & { readonly columns: Readonly<Record<string, unknown>> });

/** Predictions, or why there are none: what is wrong with the request, or with the model. */
export type PredictAnswer =
  | Predicted
  | NotReached
  | Refused<'malformed' | 'too-large' | 'no-such-model' | 'unavailable' | 'stopped'>;

/**
 * Answers requests for predictions of all models of a stack; those that were asked last are in
 * memory. It never throws for what it is asked.
 *
 * @returns a function of a request and of the seconds that are left for it
 */
export function createServing(ports: Ports) {
  const recent: RecentModels<OpenModel> = new Map();
  return async (request: unknown, secondsLeft: () => number): Promise<PredictAnswer> => {
    try {
      const listed = withSamples(request);
      const { model: name, samples, ...freshness } = parse(requestSchema, listed, 'request');
      assertCount(samples.length, limits.predictedSamples);
      const model = recent.get(name) ?? (await openModel(ports, name).catch(noneIfInvalid));
      if (model === undefined) return noSuchModel(name);
      assertAnswerFits(model, samples.length);
      remember(recent, name, model, (each) => each.state().tensors);
      const answer = await model.predict(samples, freshness, secondsLeft).catch(noneIfInvalid);
      if (answer !== undefined) return fitting(answer, samples.length);
      recent.delete(name);
      return noSuchModel(name);
    } catch (error) {
      return refusalOf(ports, error);
    }
  };
}

/** A request that has its samples as a list. */
function withSamples(request: unknown): unknown {
  if (!isRecord(request) || request.columns === undefined) return request;
  const { columns, ...rest } = request;
  const no = (reason: string, path: readonly string[] = []) =>
    invalid(`request.${['columns', ...path].join('.')}: ${reason}`);
  if (rest.samples !== undefined) throw no('is another name for samples; send all in one of them');
  const read = readTable(columns);
  if (!read.ok) throw no(read.reason, read.path);
  assertCount(read.table.length, limits.predictedSamples);
  return { ...rest, samples: [...read.table] };
}

function assertCount(found: number, most: number, of = ''): void {
  if (found > most) throw invalid(`request.samples: at most ${most} samples${of} (found ${found})`);
}

/** Before it is predicted: the numbers of many classes for many samples are more than fits. */
function assertAnswerFits(model: Pick<OpenModel, 'spec' | 'state'>, count: number): void {
  const classes = classNames(model.spec(), model.state().statistics);
  const bytesOfNames = classes.reduce((sum, name) => sum + Buffer.byteLength(name), 0);
  const bytesOfSample = bytesOfNames + bytesOfNumber * (classes.length + 1);
  const most = Math.floor(limits.requestBytes / bytesOfSample);
  assertCount(count, most, ` with ${classes.length} classes`);
}

/** A number as JSON, with what stands around it. */
const bytesOfNumber = 28;

/** An answer that is not too large: reasons, and names with marks that JSON escapes, are long. */
function fitting(answer: PredictAnswer, count: number): PredictAnswer {
  if (!answer.ok) return answer;
  const sizeBytes = Buffer.byteLength(JSON.stringify(answer));
  return sizeBytes <= limits.requestBytes ? answer : tooLarge(sizeBytes, count);
}

/** That an answer to so many samples would be larger than Lambda hands over. */
export function tooLarge(sizeBytes: number, count: number): Refused<'too-large'> {
  const most = Math.max(1, Math.floor((count * limits.requestBytes) / (2 * sizeBytes)));
  return refuse(
    'too-large',
    `request.samples: the answer would have ${sizeBytes} bytes, and ${limits.requestBytes} are ` +
      `allowed; ask for about ${most} samples at a time`,
  );
}

function noneIfInvalid(error: unknown): undefined {
  if (!isOfKind(error, 'invalid')) throw error;
}

function noSuchModel(name: string): PredictAnswer {
  return refuse('no-such-model', `model: there is no model ${name}; create it first`);
}

function refusalOf({ log }: Ports, error: unknown): PredictAnswer {
  if (!(error instanceof MillraceError)) throw error;
  if (error.kind === 'invalid') return refuse('malformed', error.message);
  log.error('not answered', { kind: error.kind, error });
  return error.kind === 'unavailable'
    ? refuse('unavailable', `${error.message}; ask again`)
    : refuse('stopped', error.message);
}
