import { withoutSurplus } from '../features/surplus.ts';
import { labelWidth } from '../features/task.ts';
import type { CurrentModel } from '../fold/current-model.ts';
import { exclusionsOf, samplesWithout } from '../fold/exclusions.ts';
import { entriesAfter } from '../journal/reading.ts';
import { limits } from '../limits.ts';
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
import { compileModel, type Model } from '../model/model.ts';
import { isRecord } from '../parse.ts';
import type { Ports } from '../ports/ports.ts';
import type { Spec, SpecInput } from '../spec/spec.ts';
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

/** A spec on its way through the journal, with one seed. */
type Run = {
  readonly model: Model;
  parameters: Parameters;
  scores: Scores;
  prior: Prior;
  refused: number;
  /** Why the first of them was. */
  firstRefusal?: string;
  /** Features of its spec that some sample has. */
  readonly seen: Set<string>;
  absoluteError: number;
  seconds: number;
};

/** A spec with its name, and its way through the journal with each seed. */
export type Contestant = { readonly name: string; readonly runs: readonly Run[] };

/** Which part of a journal is learnt again, and by what. */
export type Stretch = {
  readonly specs: readonly { readonly name: string; readonly spec: Spec }[];
  readonly from: number;
  readonly to: number;
  /** How many seeds each spec is tried with. */
  readonly seeds: number;
  /** Told after each entry. */
  readonly onProgress?: ((entries: number, of: number) => void) | undefined;
};

/**
 * Learns the stream of a model again by some specs, from nothing but the weights that a spec names:
 * entries in order of arrival, each message predicted before it is learnt. Batch jobs are left out,
 * and what was retracted; nothing is changed.
 */
export async function learnStream(
  ports: Ports,
  { model: { name }, state }: CurrentModel,
  { specs, from, to, seeds, onProgress }: Stretch,
): Promise<readonly Contestant[]> {
  const contestants: Contestant[] = [];
  for (const { name: own, spec } of specs)
    contestants.push({ name: own, runs: await runsOf(ports, spec, seeds) });
  const excluded = await exclusionsOf(ports.store, state);
  const reading = { to, ahead: limits.readsAtOnce };
  for await (const entry of entriesAfter(ports.store, name, from - 1, reading)) {
    for (const samples of samplesWithout(entry, excluded)) {
      for (const run of contestants.flatMap(({ runs }) => runs)) await learnBy(ports, run, samples);
    }
    onProgress?.(entry.header.sequence - from + 1, to - from + 1);
  }
  return contestants;
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
      seen: new Set(),
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
  noteSeen(run, samples);
  const { layout } = encoder;
  const encoding = withoutSurplus(layout, encoder.encode(samples), parameters.statistics);
  const { samples: encoded, refused } = encoding;
  const [first] = refused;
  if (first !== undefined) run.firstRefusal ??= `${first.field}: ${first.reason}`;
  const started = now();
  const { learned, places } = await learnMost(model, parameters, encoded);
  run.seconds += (now() - started) / 1_000;
  run.refused += samples.length - (learned.ok ? places.length : 0);
  if (!learned.ok || places.length === 0) return;
  const { samples: learnt, predictions } = learned;
  if (spec.task === 'regression') {
    const width = labelWidth(spec.label);
    learnt.labels.forEach((label, i) => {
      run.absoluteError += Math.abs((predictions[i] ?? 0) - label) / width;
    });
  }
  run.prior = priorAfter(spec, run.prior, run.scores, learnt);
  run.scores = addScores(run.scores, learned.scores);
  run.parameters = learned.parameters;
}

/** Notes which features samples have, of those that none had before. */
function noteSeen({ model, seen }: Run, samples: readonly unknown[]): void {
  const unseen = Object.keys(model.spec.features).filter((name) => !seen.has(name));
  for (const sample of unseen.length === 0 ? [] : samples) {
    const features = isRecord(sample) ? sample.features : undefined;
    if (isRecord(features)) for (const name of unseen) if (name in features) seen.add(name);
  }
}

/** What a contestant has earned. */
export function resultOf({ name, runs }: Contestant): Backtest {
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
