import * as z from 'zod';
import { storedJson } from '../bucket/json-objects.ts';
import {
  decodeDigested,
  encodeDigested,
  type SafetensorsFile,
  type StoredTensor,
} from '../bucket/safetensors.ts';
import type { Tensor } from '../engine/engine.ts';
import { MillraceError } from '../errors.ts';
import { latelySchema } from '../metrics/lately.ts';
import {
  format,
  parametersMetadata,
  priorSchema,
  promotedSchema,
  replacedSchema,
  retractionsSchema,
  stateMetadata,
  sumsSchema,
} from './checkpoint-metadata.ts';
import { driftFrom, driftMetadata, driftTensors } from './drift.ts';
import { ledgerFromJson, ledgerToJson } from './ledger-json.ts';
import { outcomesFrom, outcomesTensors } from './outcomes-file.ts';
import { samplesFrom, samplesTensors } from './samples-file.ts';
import { bytesOf, type Parameters, type State } from './state.ts';
import {
  bytesInPages,
  statisticsFrom,
  statisticsMetadata,
  statisticsTensors,
} from './statistics-file.ts';

/**
 * A state as one safetensors file: weights, optimizer slots, feature statistics and score
 * histograms as tensors, the rest in the metadata, with a SHA-256 digest over all of it. Python's
 * `safetensors` opens it.
 */
export function encodeCheckpoint(state: State): Uint8Array {
  const { samples, weight, loss, correct, positives, negatives } = state.scores;
  const { prior } = state;
  return encodeDigested({
    tensors: {
      ...parameterTensors(state),
      'scores/positives': { shape: [positives.length], data: positives },
      'scores/negatives': { shape: [negatives.length], data: negatives },
      ...(state.outcomes && outcomesTensors(state.outcomes)),
      ...(prior && { 'scores/prior': { shape: [prior.sums.length], data: prior.sums } }),
    },
    metadata: {
      ...parameterMetadata(state),
      model: state.model,
      sequence: String(state.sequence),
      ...(state.nonce === undefined ? {} : { nonce: state.nonce }),
      ...arithmeticsOf(state),
      spec: state.specHash,
      ...(state.specSince === undefined ? {} : { specSince: String(state.specSince) }),
      learnt: String(state.learnt),
      ledger: ledgerToJson(state.ledger),
      scores: storedJson({ samples, weight, loss, correct }, 'the scores'),
      ...(prior && {
        prior: storedJson({ loss: prior.loss, correct: prior.correct }, 'the prior'),
      }),
      ...(state.lately && { lately: storedJson(state.lately, 'what was earned lately') }),
      ...(state.promoted === undefined ? {} : { promoted: JSON.stringify(state.promoted) }),
      ...(state.replaced === undefined ? {} : { replaced: JSON.stringify(state.replaced) }),
      ...(state.retractions.length === 0 ? {} : { retractions: JSON.stringify(state.retractions) }),
    },
  });
}

/** The arithmetics of a state, as far as they are known. */
function arithmeticsOf({
  arithmetic,
  entryArithmetic,
}: {
  readonly arithmetic?: string | undefined;
  readonly entryArithmetic?: string | undefined;
}) {
  return {
    ...(arithmetic === undefined ? {} : { arithmetic }),
    ...(entryArithmetic === undefined ? {} : { entryArithmetic }),
  };
}

/**
 * Reads {@link encodeCheckpoint}. @throws MillraceError kind `corrupt` if digest or contents are
 * not right
 */
export function decodeCheckpoint(file: Uint8Array): State {
  const { tensors, metadata } = decodeDigested(file);
  return checked(() => {
    const fields = stateMetadata.parse(metadata);
    return {
      ...parametersFrom(tensors, metadata),
      model: fields.model,
      sequence: fields.sequence,
      ...(fields.nonce === undefined ? {} : { nonce: fields.nonce }),
      ...arithmeticsOf(fields),
      specHash: fields.spec,
      ...(fields.specSince === undefined ? {} : { specSince: fields.specSince }),
      learnt: fields.learnt,
      ledger: ledgerFromJson(fields.ledger, fields.sequence),
      scores: {
        ...sumsSchema.parse(JSON.parse(fields.scores)),
        positives: float64(tensors, 'scores/positives'),
        negatives: float64(tensors, 'scores/negatives'),
      },
      ...(fields.prior === undefined
        ? {}
        : {
            prior: {
              ...priorSchema.parse(JSON.parse(fields.prior)),
              sums: float64(tensors, 'scores/prior'),
            },
          }),
      ...(fields.lately === undefined
        ? {}
        : { lately: latelySchema.parse(JSON.parse(fields.lately)) }),
      ...outcomesFrom(tensors),
      ...(fields.promoted === undefined
        ? {}
        : { promoted: promotedSchema.parse(JSON.parse(fields.promoted)) }),
      ...(fields.replaced === undefined
        ? {}
        : { replaced: replacedSchema.parse(JSON.parse(fields.replaced)) }),
      retractions: retractionsSchema.parse(JSON.parse(fields.retractions)),
    };
  });
}

/**
 * A batch job's parameters as one safetensors file; `extra` is its place in the job, `best` its
 * parameters after an earlier epoch.
 */
export function encodeParameters(
  parameters: Parameters,
  extra: Readonly<Record<string, string>>,
  best?: Parameters,
): Uint8Array {
  const earlier = best && withPrefix(bestPrefix, best.tensors);
  return encodeDigested({
    tensors: { ...parameterTensors(parameters), ...earlier },
    metadata: {
      ...extra,
      ...(best === undefined ? {} : { bestStep: String(best.step) }),
      ...parameterMetadata(parameters),
    },
  });
}

const bestPrefix = 'best/';

function withPrefix<Value>(prefix: string, values: Readonly<Record<string, Value>>) {
  return Object.fromEntries(Object.entries(values).map(([name, value]) => [prefix + name, value]));
}

/**
 * Reads {@link encodeParameters}. @throws MillraceError kind `corrupt` if digest or contents are
 * not right
 */
export function decodeParameters(file: Uint8Array): {
  readonly parameters: Parameters;
  readonly best?: Parameters | undefined;
  readonly extra: Readonly<Record<string, string>>;
} {
  const { tensors, metadata } = decodeDigested(file);
  return checked(() => {
    const parameters = parametersFrom(tensors, metadata);
    return { parameters, best: bestFrom(parameters, tensors, metadata), extra: metadata };
  });
}

/** The parameters of an earlier epoch. The statistics of a job are the same in all epochs. */
function bestFrom(
  parameters: Parameters,
  tensors: SafetensorsFile['tensors'],
  { bestStep }: Record<string, string>,
): Parameters | undefined {
  if (bestStep === undefined) return undefined;
  const own = Object.keys(parameters.tensors).map((name): [string, Tensor] => [
    name,
    float32(name, tensors[bestPrefix + name] ?? { shape: [], data: new Uint8Array(0) }),
  ]);
  return { ...parameters, tensors: Object.fromEntries(own), step: stepSchema.parse(bestStep) };
}

const stepSchema = z.coerce.number().pipe(z.int().nonnegative());

function parameterTensors({
  tensors,
  statistics,
  replay,
  drift,
}: Parameters): SafetensorsFile['tensors'] {
  return {
    ...tensors,
    ...statisticsTensors(statistics),
    ...(replay && samplesTensors(replay.samples, replayPrefix)),
    ...(drift && driftTensors(drift)),
  };
}

const replayPrefix = 'replay/';

/** How many bytes parameters have in a file, but for names, texts and totals; no tensor is read. */
export function bytesOfParameters(parameters: Parameters): number {
  const { targets, lags, ...statistics } = parameters.statistics;
  const others = Object.values(parameterTensors({ ...parameters, tensors: {}, statistics }));
  const bytes = bytesOf(parameters.tensors) + bytesInPages({ targets, lags });
  return others.reduce((sum, { data }) => sum + data.byteLength, bytes);
}

function parameterMetadata({
  step,
  seed,
  statistics,
  replay,
  drift,
}: Parameters): Record<string, string> {
  return {
    format,
    step: String(step),
    seed: String(seed),
    ...statisticsMetadata(statistics),
    ...(replay && { replaySeen: String(replay.seen) }),
    ...(drift && driftMetadata(drift)),
  };
}

function parametersFrom(
  tensors: SafetensorsFile['tensors'],
  metadata: Record<string, string>,
): Parameters {
  const { step, seed, replaySeen } = parametersMetadata.parse(metadata);
  const trained = Object.entries(tensors).filter(([name]) => /^(weights|optimizer)\//.test(name));
  const statistics = statisticsFrom(tensors, metadata);
  if (statistics === undefined)
    throw new MillraceError('corrupt', 'a checkpoint has no whole statistics');
  const samples = samplesFrom(tensors, replayPrefix);
  const drift = driftFrom(tensors, metadata);
  return {
    tensors: Object.fromEntries(trained.map(([name, tensor]) => [name, float32(name, tensor)])),
    step,
    seed,
    statistics,
    ...(replaySeen !== undefined && samples ? { replay: { seen: replaySeen, samples } } : {}),
    ...(drift && { drift }),
  };
}

function float32(name: string, { shape, data }: StoredTensor): Tensor {
  if (data instanceof Float32Array) return { shape, data };
  throw new MillraceError('corrupt', `a checkpoint's tensor ${name} is not float32`);
}

function float64(tensors: SafetensorsFile['tensors'], name: string): Float64Array {
  const data = tensors[name]?.data;
  if (data instanceof Float64Array) return data;
  throw new MillraceError('corrupt', `a checkpoint has no float64 tensor ${name}`);
}

function checked<Result>(read: () => Result): Result {
  try {
    return read();
  } catch (cause) {
    if (cause instanceof MillraceError) throw cause;
    throw new MillraceError('corrupt', `a checkpoint's metadata cannot be read: ${cause}`, {
      cause,
    });
  }
}
