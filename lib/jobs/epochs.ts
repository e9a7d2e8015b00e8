import type { ObjectStore } from '../bucket/object-store.ts';
import type { PreparedDataset } from '../datasets/manifest.ts';
import { oneAhead } from '../datasets/one-ahead.ts';
import type { StoredRows } from '../datasets/shard-file.ts';
import { isFiniteState } from '../engine/finite.ts';
import { invalid } from '../errors.ts';
import { weighed } from '../features/class-weights.ts';
import { assertPlaces, placed } from '../features/classes.ts';
import { mergeWithHistory } from '../features/derived.ts';
import { type EncodedSamples, type Floats, type Layout, rowsWithin } from '../features/samples.ts';
import { labelScaleOf, standardize, standardizeLabels, unitOf } from '../features/scaling.ts';
import type { FeatureStatistics } from '../features/statistics.ts';
import { indexed } from '../features/vocabularies.ts';
import { limits } from '../limits.ts';
import { figuresOf, shortFigures } from '../metrics/figures.ts';
import { chooseExperts } from '../model/held-out-experts.ts';
import type { Model } from '../model/model.ts';
import { withPlaces } from '../model/places-of-classes.ts';
import { rowsByWork, workOfLearning } from '../model/predict.ts';
import { fixedScales } from '../model/scaled-steps.ts';
import type { Parameters } from '../state/state.ts';
import { isBudgetUsed, reasonToEnd, secondsOfBudget } from './budget.ts';
import { classesOfRows, orderOfEpoch, weighedForEpoch } from './epoch-order.ts';
import { figuredEpochs, type Lane, type Place } from './lane.ts';
import { readWindow, shuffleWindows } from './shuffle-windows.ts';

/** What the training of one slice needs. */
export type EpochsInput = {
  readonly store: ObjectStore;
  readonly model: Model;
  readonly prepared: PreparedDataset;
  /** Held-out samples with raw numbers. */
  readonly heldOut: EncodedSamples;
  /** The time in milliseconds. */
  readonly now: () => number;
  /** When the slice began to read what it needs. */
  readonly begun: number;
  /** See `Ports`. */
  readonly turn?: (() => Promise<void>) | undefined;
  /** Asked after each chunk of minibatches. */
  readonly isTimeUp: () => boolean;
  /** Whether there is time to predict all held-out rows, which cannot be cut. */
  readonly mayEvaluate: () => boolean;
  /** Told after each chunk of minibatches. */
  readonly onProgress: (place: Place, rowsOfEpoch: number) => Promise<void>;
};

/**
 * Trains until the slice's budget of time or epochs is used up, or a stop condition holds; the
 * status is `catching-up` then. Where slices are cut changes no bit: the order of an epoch comes
 * from (seed, epoch, shard) alone.
 */
export async function trainEpochs(given: EpochsInput, lane: Lane): Promise<Lane> {
  const { batch } = given.model.spec;
  const input = { ...given, windows: windowReader(given), spent: spentBy(given) };
  const firstEpoch = lane.place.epoch;
  let current = lane;
  while (current.place.status === 'training') {
    if (current.place.epoch - firstEpoch >= batch.slice.epochs) return current;
    const { lane: trained, isEpochDone } = await trainEpoch(input, current);
    const isEnd = isEpochDone || isBudgetUsed(trained.place, batch);
    if (isEpochDone && !input.mayEvaluate())
      return { ...trained, place: withTime(trained.place, batch, input.spent) };
    current = isEnd ? await endEpoch(input, trained) : trained;
    current = { ...current, place: withTime(current.place, batch, input.spent) };
    if (!isEnd) return current;
    if (current.place.status === 'training' && input.isTimeUp()) return current;
  }
  return current;
}

/**
 * The lane's statistics at its start: the starting weights' and the dataset's, fixed for the whole
 * job.
 */
export function startStatistics(lane: Lane, prepared: PreparedDataset, layout: Layout): Lane {
  const before = lane.parameters.statistics;
  const statistics = mergeWithHistory(layout, before, prepared.statistics);
  assertPlaces(layout, statistics);
  return { ...lane, parameters: withPlaces({ ...lane.parameters, statistics }, layout) };
}

type Batch = Model['spec']['batch'];

/** With what lasts over the epochs of a slice. */
type SliceInput = EpochsInput & {
  readonly windows: ReturnType<typeof windowReader>;
  readonly spent: () => number;
};

/** Milliseconds since it was asked last, or the slice began: all that it does is billed. */
function spentBy({ now, begun }: EpochsInput): () => number {
  let last = begun;
  return () => {
    const before = last;
    last = now();
    return Math.max(0, last - before);
  };
}

/** A place with the time that was spent on it, where a job's time is bounded. */
function withTime(place: Place, batch: Batch, spent: () => number): Place {
  if (secondsOfBudget(batch) === undefined) return place;
  return { ...place, trainedMilliseconds: (place.trainedMilliseconds ?? 0) + spent() };
}

/** Reads windows; a shard that is alone is the next epoch's window, too. */
function windowReader({ store, prepared, model }: EpochsInput) {
  let alone: Promise<StoredRows> | undefined;
  const read = (window: readonly number[]) =>
    readWindow(store, prepared, window, model.encoder.layout);
  return (all: readonly (readonly number[])[], place: number) => {
    const window = all[place];
    if (window === undefined) return undefined;
    if (all.length > 1 || window.length > 1) return read(window);
    alone ??= read(window);
    return alone;
  };
}

async function trainEpoch(
  { model, prepared, now, turn, isTimeUp, onProgress, windows: readOf, spent }: SliceInput,
  lane: Lane,
): Promise<{ readonly lane: Lane; readonly isEpochDone: boolean }> {
  const { spec, compiled, encoder } = model;
  const { minibatch: rows } = spec.batch;
  const most = mostMinibatches(model, rows);
  let atOnce = Math.min(limits.minibatchesPerCall, most);
  const { best } = lane;
  let { parameters, place } = lane;
  const { statistics } = parameters;
  const { layout } = encoder;
  const scales = fixedScales(model, statistics);
  // A loss of standardised labels, in the labels' own unit.
  const unit = unitOf(labelScaleOf(statistics, layout)) ** 2;
  const known = { statistics, rows: classesOfRows(prepared, statistics, layout) };
  const windows = shuffleWindows(prepared, layout, spec, place.epoch);
  const first = place.shard;
  const all = oneAhead((i) => readOf(windows, first + i));
  for await (const stored of all) {
    const [shard = 0] = windows[place.shard] ?? [];
    const key = [place.epoch, shard];
    const order = orderOfEpoch(spec, stored, known, { layout, key });
    const minibatches = Math.ceil(order.length / rows);
    while (place.minibatch < minibatches) {
      const start = place.minibatch * rows;
      const chunk = order.subarray(start, start + atOnce * rows);
      const raw = stored.at(chunk);
      const samples = asLearnt(model, raw, statistics);
      // The next window is on its way, as far as somebody listens.
      await turn?.();
      const before = now();
      const { state, losses } = await compiled.train(parameters, samples, {
        minibatch: rows,
        rate: spec.optimizer.rate,
        schedule: spec.batch.schedule,
        keepsWindows: place.epoch > 0 || place.isOfStream === true,
        ...scales,
      });
      // A call costs what some small steps cost; how many steps it makes changes no bit.
      const milliseconds = now() - before;
      if (milliseconds < limits.callMilliseconds) atOnce = Math.min(2 * atOnce, most);
      parameters = { ...parameters, ...state };
      if (place.epoch === 0) parameters = withLabelsOf(model, parameters, samples, raw.labels);
      place = {
        ...place,
        minibatch: place.minibatch + losses.length,
        lossSum: losses.reduce((sum, loss) => sum + loss * unit, place.lossSum),
        lossCount: place.lossCount + losses.length,
      };
      place = withTime(place, spec.batch, spent);
      assertFinite({ parameters, place });
      const earlier = windows
        .slice(0, place.shard)
        .flat()
        .reduce((sum, s) => sum + (prepared.shardRows[s] ?? 0), 0);
      const share = order.length > 0 ? Math.min(1, (place.minibatch * rows) / order.length) : 1;
      await onProgress(place, earlier + Math.round(share * stored.count));
      if (isTimeUp() || isBudgetUsed(place, spec.batch)) {
        return {
          lane: { parameters, best, place },
          isEpochDone: isLast(place, windows.length, minibatches),
        };
      }
    }
    place = { ...place, shard: place.shard + 1, minibatch: 0 };
  }
  return { lane: { parameters, best, place }, isEpochDone: true };
}

/** Minibatches of a call, whose rows are copied: as they came, standardised, and by the engine. */
function mostMinibatches({ compiled, encoder: { layout } }: Model, minibatch: number): number {
  const byTime = rowsByWork(workOfLearning(compiled, minibatch));
  const rows = rowsWithin(byTime, layout, limits.blockBytes);
  return Math.max(1, Math.floor(rows / minibatch));
}

/** Rows with raw numbers as an epoch's steps take them. */
function asLearnt(
  { spec, encoder: { layout }, scaling }: Model,
  rows: EncodedSamples,
  statistics: FeatureStatistics,
): EncodedSamples {
  const raw = placed(rows, statistics, layout);
  const labels = standardizeLabels(raw.labels, labelScaleOf(statistics, layout));
  const scaled = { ...standardize(raw, statistics, scaling), labels };
  const samples = weighedForEpoch(spec, scaled, statistics);
  return indexed(samples, statistics.vocabularies, layout);
}

/** The parameters once experts know the labels of some rows: of each, they hear once in a job. */
function withLabelsOf(
  { compiled, encoder }: Model,
  parameters: Parameters,
  { labels, weights }: EncodedSamples,
  raw: Floats,
): Parameters {
  if (compiled.experts === undefined) return parameters;
  const own = { labels: raw, scale: labelScaleOf(parameters.statistics, encoder.layout) };
  return { ...parameters, ...compiled.experts.share(parameters, { labels, weights, own }) };
}

/**
 * @throws MillraceError kind `invalid` that names the epoch, if the loss or a weight is not finite
 */
function assertFinite({ parameters, place: { lossSum, epoch } }: Lane): void {
  if (Number.isFinite(lossSum) && isFiniteState(parameters.tensors)) return;
  const what = Number.isFinite(lossSum) ? 'a weight' : 'the loss';
  throw invalid(
    `${what} stopped being finite in epoch ${epoch + 1}; ` +
      'lower spec.optimizer.rate, or look for outliers in labels and features',
  );
}

function isLast({ shard, minibatch }: Place, shards: number, minibatches: number): boolean {
  return shard === shards - 1 && minibatch >= minibatches;
}

/** Records the epoch, and checks the stop conditions: epochs, target loss, early stopping. */
async function endEpoch(
  { model, heldOut: rows }: EpochsInput,
  { parameters: trained, best, place }: Lane,
): Promise<Lane> {
  const { statistics } = trained;
  const own = placed(rows, statistics, model.encoder.layout);
  const heldOut = weighed(own, model.spec, statistics);
  const { chosen: parameters, predictions } = await chooseExperts(
    model,
    trained,
    own,
    place.isHeldOutKnown,
  );
  const { batch } = model.spec;
  if (place.lossCount === 0)
    throw invalid(`no row was drawn for epoch ${place.epoch + 1}; leave out spec.batch.sampling`);
  const trainingLoss = place.lossSum / place.lossCount;
  const figures =
    heldOut.count > 0
      ? shortFigures(figuresOf(model.spec, predictions, heldOut, statistics.classNames))
      : undefined;
  const heldOutLoss = figures?.loss;
  if (heldOutLoss !== undefined) {
    if (!Number.isFinite(heldOutLoss)) {
      throw invalid(
        `the held-out loss is not finite in epoch ${place.epoch + 1}; ` +
          'look for outliers in labels and features',
      );
    }
  }
  const loss = heldOutLoss ?? trainingLoss;
  const isBest = place.bestLoss === null || loss < place.bestLoss;
  const ended: Place = {
    ...place,
    epoch: place.epoch + 1,
    shard: 0,
    minibatch: 0,
    lossSum: 0,
    lossCount: 0,
    epochLosses: [...place.epochLosses, trainingLoss],
    heldOutLosses: heldOutLoss === undefined ? [] : [...place.heldOutLosses, heldOutLoss],
    ...(figures && {
      heldOutFigures: [...(place.heldOutFigures ?? []), figures].slice(-figuredEpochs),
    }),
    bestLoss: isBest ? loss : place.bestLoss,
    epochsWithoutBest: isBest ? 0 : place.epochsWithoutBest + 1,
  };
  const reason = reasonToEnd(ended, loss, batch);
  // Whoever is patient wants the best epoch, not the last.
  const bestSoFar = batch.patience === undefined ? undefined : isBest ? parameters : best;
  if (reason === undefined) return { parameters, best: bestSoFar, place: ended };
  return {
    parameters: bestSoFar ?? parameters,
    place: { ...ended, status: 'catching-up', reason },
  };
}
