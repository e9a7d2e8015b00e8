import { invalid } from '../errors.ts';
import { weighed } from '../features/class-weights.ts';
import { gatherSamples } from '../features/samples.ts';
import { exclusionsOf, samplesWithout } from '../fold/exclusions.ts';
import { currentState } from '../fold/fold.ts';
import { entriesAfter } from '../journal/reading.ts';
import { emptyPrior, type Prior, priorAfter } from '../metrics/prior.ts';
import {
  addScores,
  areaUnderCurve,
  emptyScores,
  meanLoss,
  type Scores,
} from '../metrics/scores.ts';
import { loadInitialWeights } from '../model/initial-weights.ts';
import { learnMost } from '../model/learn-most.ts';
import { compileModel, existingModel, type Model } from '../model/model.ts';
import { predict } from '../model/predict.ts';
import type { Ports } from '../ports/ports.ts';
import { defineSpec, parseSpec, type Spec, type SpecInput } from '../spec/spec.ts';
import type { Parameters } from '../state/state.ts';

/** A spec that the stream is to be learnt by, and what it is called. */
export type Candidate = { readonly name: string; readonly spec: SpecInput };

/** What a spec would have earned on a model's stream. */
export type Backtest = {
  readonly name: string;
  readonly samples: number;
  /** Samples that the spec cannot learn. */
  readonly refused: number;
  /** The mean over the seeds, of samples that were predicted before they were learnt. */
  readonly loss: number;
  /** How far the seeds differ. */
  readonly lossSpread: number;
  /** Of the labels alone. */
  readonly baselineLoss: number;
  readonly accuracy?: number;
  readonly areaUnderCurve?: number;
  /** Of regressions, in the label's unit. */
  readonly meanAbsoluteError?: number;
  /** Predicted and learnt, on this machine. */
  readonly samplesPerSecond: number;
};

/** How a stream is learnt again. */
export type BacktestOptions = {
  /** The first and the last entry; all unless given. */
  readonly from?: number | undefined;
  readonly to?: number | undefined;
  /** How many seeds each spec is tried with; 1 unless given. */
  readonly seeds?: number | undefined;
  /** Told after each entry. */
  readonly onProgress?: (entries: number, of: number) => void;
};

/** A spec on its way through the journal, with one seed. */
type Run = {
  readonly model: Model;
  parameters: Parameters;
  scores: Scores;
  prior: Prior;
  refused: number;
  absoluteError: number;
  seconds: number;
};

/**
 * What other specs would have earned on the stream that a model has learnt: its journal in order of
 * arrival, each message predicted before it is learnt, from nothing but the weights that a spec
 * names. The model's own spec comes
 * first. Batch jobs are left out, and what was retracted; nothing is changed.
 *
 * @throws MillraceError kind `invalid` if there is no such model, or a spec is not valid or of
 *   another task
 */
export async function backtest(
  ports: Ports,
  name: string,
  candidates: readonly Candidate[],
  { from = 1, to, seeds = 1, onProgress }: BacktestOptions = {},
): Promise<readonly Backtest[]> {
  const model = await existingModel(ports, name);
  const state = await currentState(ports, model);
  const { sequence } = state;
  if (sequence === 0) throw invalid(`${name} has learnt nothing yet`);
  const last = to ?? sequence;
  for (const [option, entry] of [['--from', from] as const, ['--to', last] as const])
    if (entry > sequence)
      throw invalid(
        `${option}: the journal of ${name} has entries 1 to ${sequence} (found ${entry})`,
      );
  if (from > last) throw invalid(`--to: must not be before --from (found ${from} to ${last})`);
  const specs = [
    { name: `${name} as it is`, spec: parseSpec(model.stored) },
    ...candidates.map((each) => ({ name: each.name, spec: specOf(model, each) })),
  ];
  const contestants: { readonly name: string; readonly runs: readonly Run[] }[] = [];
  for (const { name: own, spec } of specs)
    contestants.push({ name: own, runs: await runsOf(ports, spec, seeds) });
  const excluded = await exclusionsOf(ports.store, state);
  for await (const entry of entriesAfter(ports.store, name, from - 1, { to: last })) {
    for (const samples of samplesWithout(entry, excluded)) {
      for (const run of contestants.flatMap(({ runs }) => runs)) await learnBy(ports, run, samples);
    }
    onProgress?.(entry.header.sequence - from + 1, last - from + 1);
  }
  if (contestants[0]?.runs.every(({ scores }) => scores.samples === 0))
    throw invalid(`${name} has learnt no sample in entries ${from} to ${last}`);
  return contestants.map(resultOf);
}

/** A candidate's spec, under the model's name. */
function specOf({ name, spec: { task } }: Model, candidate: Candidate): Spec {
  const spec = defineSpec({ ...candidate.spec, model: name });
  if (spec.task === task) return spec;
  throw invalid(`${candidate.name}: task: the model's is ${task} (found ${spec.task})`);
}

async function runsOf(
  { engine, store }: Ports,
  spec: Spec,
  seeds: number,
): Promise<readonly Run[]> {
  const runs: Run[] = [];
  const weights = await loadInitialWeights(store, spec);
  for (let i = 0; i < seeds; i++) {
    const own = { ...spec, seed: (spec.seed + i) % 2 ** 32 };
    const compiled = { name: spec.model, ...(await compileModel(engine, own, own, weights)) };
    runs.push({
      model: compiled,
      parameters: compiled.initial,
      scores: emptyScores(spec),
      prior: emptyPrior(spec),
      refused: 0,
      absoluteError: 0,
      seconds: 0,
    });
  }
  return runs;
}

async function learnBy({ now }: Ports, run: Run, samples: readonly unknown[]): Promise<void> {
  if (samples.length === 0) return;
  const { model, parameters } = run;
  const { spec, encoder } = model;
  const { samples: encoded } = encoder.encode(samples);
  const started = now();
  const { learned, places } = await learnMost(model, parameters, encoded);
  run.seconds += (now() - started) / 1_000;
  run.refused += samples.length - (learned.ok ? places.length : 0);
  if (!learned.ok || places.length === 0) return;
  const learnt = gatherSamples(encoded, places, encoder.layout);
  if (spec.task === 'regression') {
    const predictions = await predict(model, parameters, learnt);
    learnt.labels.forEach((label, row) => {
      run.absoluteError += Math.abs((predictions[row] ?? 0) - label);
    });
  }
  const own = weighed(learnt, spec, parameters.statistics);
  run.prior = priorAfter(spec, run.prior, run.scores, own);
  run.scores = addScores(run.scores, learned.scores);
  run.parameters = learned.parameters;
}

function resultOf({
  name,
  runs,
}: {
  readonly name: string;
  readonly runs: readonly Run[];
}): Backtest {
  const mean = (of: (run: Run) => number) =>
    runs.reduce((sum, run) => sum + of(run), 0) / runs.length;
  const losses = runs.map(({ scores }) => meanLoss(scores));
  const isRegression = runs[0]?.model.spec.task === 'regression';
  const curve = mean(({ scores }) => areaUnderCurve(scores));
  return {
    name,
    samples: runs[0]?.scores.samples ?? 0,
    refused: mean(({ refused }) => refused),
    loss: mean(({ scores }) => meanLoss(scores)),
    lossSpread: Math.max(...losses) - Math.min(...losses),
    baselineLoss: mean(({ prior, scores }) => prior.loss / scores.weight),
    ...(isRegression
      ? { meanAbsoluteError: mean(({ absoluteError, scores }) => absoluteError / scores.samples) }
      : { accuracy: mean(({ scores }) => scores.correct / scores.weight) }),
    ...(Number.isFinite(curve) ? { areaUnderCurve: curve } : {}),
    samplesPerSecond: mean(({ scores, seconds }) => scores.samples / seconds),
  };
}

/** The most specs that a grid may have. */
const mostCandidates = 64;

/**
 * A spec with each combination of some values in it.
 *
 * @param grid `path=value,value…` each: `online.rate=0.1,0.03`; values are JSON, or texts
 * @throws MillraceError kind `invalid` if one cannot be read, or there are too many
 */
export function gridOf(spec: SpecInput, grid: readonly string[]): readonly Candidate[] {
  const axes = grid.map((text) => {
    const [, path = '', values = ''] = /^([A-Za-z0-9_.]+)=(.+)$/s.exec(text) ?? [];
    if (path === '') {
      throw invalid(
        `--grid: must be path=value,value such as online.rate=0.1,0.03 (found ${text})`,
      );
    }
    return valuesOf(values).map((value) => ({ path, value }));
  });
  const combinations = axes.reduce<readonly { path: string; value: unknown }[][]>(
    (all, axis) => all.flatMap((before) => axis.map((each) => [...before, each])),
    [[]],
  );
  if (combinations.length > mostCandidates)
    throw invalid(`--grid: at most ${mostCandidates} combinations (found ${combinations.length})`);
  return combinations.map((settings) => ({
    name: settings.map(({ path, value }) => `${path}=${JSON.stringify(value)}`).join(' '),
    spec: settings.reduce<SpecInput>(
      (own, { path, value }) => withValue(own, path.split('.'), value) as SpecInput,
      spec,
    ),
  }));
}

/** Values between commas; a list in brackets is one. */
function valuesOf(text: string): readonly unknown[] {
  try {
    return JSON.parse(`[${text}]`) as unknown[];
  } catch {
    return text.split(',');
  }
}

function withValue(
  object: unknown,
  [first = '', ...rest]: readonly string[],
  value: unknown,
): unknown {
  const own = (typeof object === 'object' && object !== null ? object : {}) as Record<
    string,
    unknown
  >;
  return {
    ...own,
    [first]: rest.length === 0 ? value : withValue(own[first], rest, value),
  };
}
