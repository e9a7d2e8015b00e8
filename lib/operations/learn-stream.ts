import type { RawSamples } from '../features/sample-table.ts';
import { withoutSurplus } from '../features/surplus.ts';
import type { CurrentModel } from '../fold/current-model.ts';
import { exclusionsOf, samplesWithout } from '../fold/exclusions.ts';
import { entriesAfter } from '../journal/reading.ts';
import { limits } from '../limits.ts';
import { type Earnings, earningsAfter, nothingEarned } from '../metrics/earnings.ts';
import { meanLoss } from '../metrics/scores.ts';
import { metricsOf, type StreamMetrics } from '../metrics/stream-metrics.ts';
import { loadInitialWeights } from '../model/initial-weights.ts';
import { withClasses } from '../model/learn.ts';
import { learnMost } from '../model/learn-most.ts';
import { compileModel, type Model } from '../model/model.ts';
import { isRecord } from '../parse.ts';
import type { Ports } from '../ports/ports.ts';
import { newestRevision } from '../spec/revision.ts';
import type { Spec, SpecInput } from '../spec/spec.ts';
import type { Parameters } from '../state/state.ts';

/** A spec that the stream is to be learnt by, and what it is called. */
export type Candidate = { readonly name: string; readonly spec: SpecInput };

/** The figures of a stream that have a mean over seeds. */
type SingleFigures = Omit<StreamMetrics, 'lately' | 'outputs' | 'rivals' | 'loss'>;

/**
 * What a spec would have earned on a model's stream: means over the seeds, of samples that were
 * predicted before they were learnt.
 */
export type Backtest = SingleFigures & {
  readonly name: string;
  readonly samples: number;
  /** Samples that the spec cannot learn, and why the first of them. */
  readonly refused: number;
  readonly firstRefusal?: string;
  readonly loss: number;
  /** How far the seeds differ. */
  readonly lossSpread?: number;
  /** Predicted and learnt, on this machine. */
  readonly samplesPerSecond: number;
};

/** A spec on its way through the journal, with one seed. */
type Run = {
  readonly model: Model;
  /** Whether it stays as it began. */
  readonly isFrozen: boolean;
  parameters: Parameters;
  earned: Earnings;
  refused: number;
  /** Why the first of them was. */
  firstRefusal?: string;
  /** Features of its spec that some sample has. */
  readonly seen: Set<string>;
  seconds: number;
};

/** A spec with its name, and its way through the journal with each seed. */
export type Contestant = { readonly name: string; readonly runs: readonly Run[] };

/** A spec on a stream. */
export type Entrant = {
  readonly name: string;
  readonly spec: Spec;
  /** Where it begins; at the weights that the spec names unless given. */
  readonly start?: Parameters | undefined;
  /** Whether it stays as it began, and only predicts. */
  readonly isFrozen?: boolean;
};

/** Which part of a journal is learnt again, and by what. */
export type Stretch = {
  readonly specs: readonly Entrant[];
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
  for (const entrant of specs)
    contestants.push({ name: entrant.name, runs: await runsOf(ports, entrant, seeds) });
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
  { spec, start, isFrozen = false }: Entrant,
  seeds: number,
): Promise<readonly Run[]> {
  const runs: Run[] = [];
  const weights = await loadInitialWeights(store, spec);
  for (let i = 0; i < seeds; i++) {
    const own = { ...spec, seed: (spec.seed + i) % 2 ** 32 };
    const compiled = { name: spec.model, ...(await compileModel(engine, own, own, weights)) };
    runs.push({
      model: compiled,
      isFrozen,
      parameters: start ?? compiled.initial,
      // (Models of earlier releases know fewer figures of themselves.)
      earned: nothingEarned({ ...spec, revision: newestRevision }),
      refused: 0,
      seen: new Set(),
      seconds: 0,
    });
  }
  return runs;
}

async function learnBy({ now }: Ports, run: Run, samples: RawSamples): Promise<void> {
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
  run.earned = earningsAfter(spec, run.earned, learned);
  // (A class that comes keeps its place, also where nothing is learnt of it.)
  run.parameters = run.isFrozen
    ? withClasses(model, parameters, encoded).known
    : learned.parameters;
}

/** Notes which features samples have, of those that none had before. */
function noteSeen({ model, seen }: Run, samples: RawSamples): void {
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
  const firstRefusal = runs[0]?.firstRefusal;
  const losses = runs.map(({ earned }) => meanLoss(earned.scores));
  return {
    name,
    samples: runs[0]?.earned.scores.samples ?? 0,
    refused: mean(({ refused }) => refused),
    ...(firstRefusal === undefined ? {} : { firstRefusal }),
    ...meanFigures(runs.map(({ model, earned }) => metricsOf(earned, model.spec) ?? {})),
    loss: losses.reduce((sum, loss) => sum + loss, 0) / losses.length,
    ...(losses.length > 1 && { lossSpread: Math.max(...losses) - Math.min(...losses) }),
    samplesPerSecond: mean(({ earned, seconds }) => earned.scores.samples / seconds),
  };
}

/** The mean of each figure that all runs have. */
function meanFigures(runs: readonly Partial<StreamMetrics>[]): SingleFigures {
  const names = Object.keys(runs[0] ?? {}) as (keyof SingleFigures)[];
  const means = names.flatMap((name) => {
    const values = runs.flatMap((run) => (typeof run[name] === 'number' ? [run[name]] : []));
    const sum = values.reduce((total, value) => total + value, 0);
    return values.length === runs.length ? [[name, sum / runs.length] as const] : [];
  });
  return Object.fromEntries(means);
}
