import * as z from 'zod';
import { parseUndamaged } from '../bucket/json-objects.ts';
import { keys } from '../bucket/keys.ts';
import type { ObjectStore } from '../bucket/object-store.ts';
import { decodeSafetensors, digestOf, encodeSafetensors } from '../bucket/safetensors.ts';
import type { CompiledModel, Tensors } from '../engine/engine.ts';
import { isOfRecentLabels } from '../engine/experts/recent-labels.ts';
import { invalid, MillraceError } from '../errors.ts';
import { areClassesOf, namesOfClasses } from '../features/classes.ts';
import type { Encoder } from '../features/encoder.ts';
import type { Layout } from '../features/samples.ts';
import { areSpreadsOf } from '../features/spread.ts';
import {
  completed,
  emptyStatistics,
  type FeatureStatistics,
  statisticsWidth,
} from '../features/statistics.ts';
import { labelWidth } from '../features/task.ts';
import { haveVocabularies } from '../features/vocabularies.ts';
import { isAverage, isTrained } from '../network/weight-names.ts';
import { listNames } from '../parse.ts';
import type { Spec } from '../spec/spec.ts';
import { emptyDrift } from '../state/drift.ts';
import { emptyReplay } from '../state/replay.ts';
import type { Parameters } from '../state/state.ts';
import { statisticsFrom, statisticsMetadata, statisticsTensors } from '../state/statistics-file.ts';
import { withPlaces } from './places-of-classes.ts';

/** Weights that a model starts from instead of those of its seed, by their names in a state. */
export type InitialWeights = {
  readonly tensors: Tensors;
  /** What the columns were standardised by while the weights were learnt; none unless given. */
  readonly statistics?: FeatureStatistics;
  /** The spec of the model that learnt them, where the file says it. */
  readonly spec?: unknown;
};

/** Initial weights as a safetensors file; the same weights give the same bytes. */
export function encodeInitialWeights({ tensors, statistics }: InitialWeights): Uint8Array {
  const sorted = Object.entries(tensors).sort(([a], [b]) => (a < b ? -1 : 1));
  return encodeSafetensors({
    tensors: {
      ...Object.fromEntries(sorted),
      ...(statistics && statisticsTensors(statistics)),
    },
    metadata: {
      format: 'millrace-initial-1',
      ...(statistics && statisticsMetadata(statistics)),
    },
  });
}

/**
 * The weights and statistics in a safetensors file: {@link encodeInitialWeights}, an export of a
 * model, or a published state.
 *
 * @throws MillraceError kind `corrupt` if it is no safetensors file, `invalid` if its weights are
 *   not what answers
 */
export function decodeInitialWeights(file: Uint8Array): InitialWeights {
  const { tensors, metadata } = decodeSafetensors(file);
  if (Object.keys(tensors).some((name) => isAverage(name)))
    throw invalid(
      'the weights of this state are not those that answer, which are an average; import what ' +
        '`millrace export --format safetensors` wrote of the model',
    );
  const weights = Object.entries(tensors).flatMap(([name, { shape, data }]) => {
    if (/^(optimizer|statistics|scores|outcomes|features|label|replay|drift)\//.test(name))
      return [];
    const own = name.startsWith('weights/') ? name : `weights/${name}`;
    return [[own, { shape, data: Float32Array.from(data) }]];
  });
  const statistics = statisticsFrom(tensors, metadata);
  return {
    tensors: Object.fromEntries(weights),
    ...(statistics && { statistics }),
    ...(metadata.format === 'millrace-export-1'
      ? { spec: parseUndamaged(z.looseObject({}), Buffer.from(metadata.spec ?? '')) }
      : {}),
  };
}

/**
 * The weights that a spec names; undefined if it names none.
 *
 * @throws MillraceError kind `corrupt` if they are not in the bucket as they were stored
 */
export async function loadInitialWeights(
  store: ObjectStore,
  { initialWeights: digest }: Spec,
): Promise<InitialWeights | undefined> {
  if (digest === undefined) return undefined;
  const key = keys.initialWeights(digest);
  const object = await store.get(key);
  if (object === undefined) throw new MillraceError('corrupt', `${key} is gone`);
  if (digestOf(object.body) !== digest)
    throw new MillraceError('corrupt', `${key} is not what was stored: its digest is another one`);
  return decodeInitialWeights(object.body);
}

/** What is to start. */
export type Startable = {
  readonly compiled: CompiledModel;
  readonly encoder: Encoder;
  readonly spec: Spec;
};

/**
 * What a model starts from: the weights of its seed, or those that it was given.
 *
 * @throws MillraceError kind `invalid` that names what does not fit
 */
export function initialParameters(
  { compiled, encoder, spec: { network, online, label } }: Startable,
  given?: InitialWeights,
): Parameters {
  const own = compiled.initial();
  const empty = emptyStatistics(encoder.layout);
  const beside = {
    ...(online.replay && { replay: emptyReplay(encoder.layout) }),
    ...(online.drift && { drift: emptyDrift(labelWidth(label)) }),
  };
  if (given === undefined)
    return withPlaces({ ...own, statistics: empty, ...beside }, encoder.layout);
  const isGenerated = !('topology' in network);
  const tensors = Object.entries(own.tensors).map(([name, tensor]) => {
    // (What is never trained is as the spec has it, not as it was in another model.)
    if (!name.startsWith('weights/') || (isGenerated && !isTrained(name))) return [name, tensor];
    const other = given.tensors[name] ?? (isOfRecentLabels(name) ? tensor : undefined);
    if (other === undefined) {
      const names = Object.keys(given.tensors).join(', ');
      throw invalid(`initialWeights: ${name} is not among them (found ${names || 'none'})`);
    }
    if (other.shape.join() !== tensor.shape.join()) {
      throw invalid(
        `initialWeights: ${name} must have the shape [${tensor.shape}] (found [${other.shape}])`,
      );
    }
    if (!other.data.every(Number.isFinite))
      throw invalid(`initialWeights: ${name} has numbers that are not finite`);
    return [name, other];
  });
  const { statistics = empty } = given;
  const width = statisticsWidth(encoder.layout);
  if (statistics.mean.length !== width || statistics.squares.length !== width) {
    throw invalid(
      `initialWeights: its statistics are of ${statistics.mean.length} columns; the features and ` +
        `the label of the spec have ${width}`,
    );
  }
  if (!areSpreadsOf(encoder.layout.spreads, statistics.spreads))
    throw invalid(
      'initialWeights: the file does not say how far the columns reach that the spec scales by ' +
        'minMax, maxAbs or robust; take a published state, or what `millrace export --format safetensors` wrote',
    );
  if (!haveVocabularies(encoder.layout, given.statistics?.vocabularies))
    throw invalid(
      'initialWeights: the file does not say which values its rows are of, or of other ' +
        'vocabularies than the spec has; take a published state, or what `millrace export --format ' +
        'safetensors` wrote',
    );
  const { targets = [], lags = [] } = encoder.layout;
  targets.forEach(({ rows, outputs }, i) => {
    const found = statistics.targets?.[i];
    if (found === undefined) return;
    if (found.counts.length === rows && found.sums.length === rows * outputs) return;
    throw invalid(
      `initialWeights: its target mean ${i + 1} has ${found.counts.length} buckets; the spec has ${rows}`,
    );
  });
  lags.forEach(({ rows, depth }, i) => {
    const found = statistics.lags?.[i];
    if (found === undefined) return;
    if (found.counts.length === rows && found.values.length === rows * depth) return;
    throw invalid(`initialWeights: its lag ${i + 1} has other buckets or steps than the spec`);
  });
  assertClasses(encoder.layout, statistics);
  const parameters = {
    ...own,
    tensors: Object.fromEntries(tensors),
    statistics: completed(statistics, encoder.layout),
    ...beside,
  };
  return withPlaces(parameters, encoder.layout);
}

/** @throws MillraceError kind `invalid` if statistics are of other classes than a layout */
function assertClasses(layout: Layout, statistics: FeatureStatistics): void {
  if (!areClassesOf(layout, namesOfClasses(layout, statistics)))
    throw invalid(
      `initialWeights: its classes are ${listNames(statistics.classNames ?? [])}; the spec declares ` +
        `${listNames(layout.growingClasses?.declared ?? [])}, which must be the first of them, ` +
        `and label.maxClasses is ${layout.growingClasses?.most}`,
    );
  const { classes } = statistics;
  const { countedClasses } = layout;
  const isCount = classes?.every((weight) => weight >= 0 && Number.isFinite(weight)) ?? true;
  if (countedClasses !== undefined && classes !== undefined)
    if (classes.length !== countedClasses || !isCount)
      throw invalid(
        `initialWeights: its classes have weighed ${[...classes].join(', ').slice(0, 200)}; the spec ` +
          `has ${countedClasses} classes, each with a finite weight of 0 or more`,
      );
}
