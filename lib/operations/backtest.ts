import { invalid } from '../errors.ts';
import { currentModel } from '../fold/current-model.ts';
import { stateAt } from '../fold/fold.ts';
import { headersAfter } from '../journal/reading.ts';
import { limits } from '../limits.ts';
import type { Model } from '../model/model.ts';
import { jsonIfAny } from '../parse.ts';
import type { Ports } from '../ports/ports.ts';
import { withIgnored } from '../spec/ignored.ts';
import { defineSpec, parseSpec, type Spec, type SpecInput } from '../spec/spec.ts';
import { jobInForce, parametersOf } from '../state/state.ts';
import { type Backtest, type Candidate, learnStream, resultOf } from './learn-stream.ts';

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
  const { model, state } = await currentModel(ports, name);
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
  const stretch = { specs, from, to: last, seeds, onProgress };
  const contestants = await learnStream(ports, { model, state }, stretch);
  if (contestants[0]?.runs.every(({ earned }) => earned.scores.samples === 0))
    throw invalid(`${name} has learnt no sample in entries ${from} to ${last}`);
  return contestants.map(resultOf);
}

/**
 * What the weights that the last batch job gave a model have earned since, learning on as the model
 * has done, and frozen as the job left them: what learning online is worth. Nothing is changed.
 *
 * @param options `to` and `onProgress` of {@link backtest}
 * @throws MillraceError kind `invalid` if no job's weights are in use under the spec that holds
 */
export async function backtestFrozen(
  ports: Ports,
  name: string,
  { to, onProgress }: Pick<BacktestOptions, 'to' | 'onProgress'> = {},
): Promise<readonly Backtest[]> {
  const { model, state } = await currentModel(ports, name);
  const { specSince = 0 } = state;
  // (Of one that is not in the weights any more, its last change says why.)
  const promoted = jobInForce(state) ?? state.promoted;
  if (promoted === undefined || promoted.sequence < specSince)
    throw invalid(
      `--frozen: no batch job has given ${name} its weights` +
        `${specSince > 0 ? ` since entry ${specSince} changed its spec` : ''}; train it first`,
    );
  const last = to ?? state.sequence;
  const { job } = promoted;
  const since = await lastChangeSince(ports, name, promoted, state.sequence);
  const lastChange = since === promoted.sequence ? `job ${job}` : 'its weights were last replaced';
  if (last <= since || last > state.sequence)
    throw invalid(
      since === state.sequence
        ? `--frozen: ${name} has learnt nothing since ${lastChange} (entry ${since})`
        : `--to: must be from ${since + 1}, behind job ${job}, to ${state.sequence} (found ${last})`,
    );
  const weightsAt = async (entry: number) => parametersOf(await stateAt(ports, model, entry));
  const ofJob = await weightsAt(promoted.sequence);
  const own = since === promoted.sequence ? ofJob : await weightsAt(since);
  const spec = parseSpec(model.stored);
  const specs = [
    { name: `job ${job}, learning on`, spec, start: own },
    { name: `job ${job}, frozen`, spec, start: ofJob, isFrozen: true },
  ];
  const stretch = { specs, from: since + 1, to: last, seeds: 1, onProgress };
  const contestants = await learnStream(ports, { model, state }, stretch);
  if (contestants[0]?.runs.every(({ earned }) => earned.scores.samples === 0))
    throw invalid(`${name} has learnt no sample in entries ${since + 1} to ${last}`);
  return contestants.map(resultOf);
}

/**
 * The last entry that gave a model weights which do not follow from the entry before: the job's own,
 * a rollback to what the job's weights had become, or a retraction of what they had learnt since.
 *
 * @throws MillraceError kind `invalid` if a rollback went behind the job, or a retraction left it out
 */
async function lastChangeSince(
  { store }: Pick<Ports, 'store'>,
  name: string,
  { job, sequence }: { readonly job: string; readonly sequence: number },
  to: number,
): Promise<number> {
  let since = sequence;
  const reading = { to, ahead: limits.readsAtOnce };
  for await (const header of headersAfter(store, name, sequence, reading)) {
    if (header.kind !== 'rollback' && header.kind !== 'retract') continue;
    const what = header.kind === 'rollback' ? `rolled ${name} back behind` : 'left out';
    if (header.kind === 'rollback' ? header.to < sequence : header.without.jobs.includes(job))
      throw invalid(
        `--frozen: entry ${header.sequence} ${what} job ${job}; train ${name} again first`,
      );
    since = header.sequence;
  }
  return since;
}

/** A candidate's spec, under the model's name. */
function specOf({ name, spec: own }: Model, candidate: Candidate): Spec {
  const spec = defineSpec({ ...candidate.spec, model: name });
  if (spec.task === own.task) return withIgnored(own, spec, candidate.spec);
  throw invalid(`${candidate.name}: task: the model's is ${own.task} (found ${spec.task})`);
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
    const { path, values } = axisOf(spec, text);
    return valuesOf(values).map((value) => ({ path, value }));
  });
  const count = axes.reduce((product, { length }) => product * length, 1);
  if (count > mostCandidates)
    throw invalid(`--grid: at most ${mostCandidates} combinations (found ${count})`);
  const combinations = axes.reduce<readonly Setting[][]>(
    (all, axis) => all.flatMap((before) => axis.map((each) => [...before, each])),
    [[]],
  );
  return combinations.map((settings) => ({
    name: settings.map(({ path, value }) => `${path.join('.')}=${JSON.stringify(value)}`).join(' '),
    spec: settings.reduce<SpecInput>(
      (own, { path, value }) => withValue(own, path, value) as SpecInput,
      spec,
    ),
  }));
}

/** A place in a spec, and what stands there. */
type Setting = { readonly path: readonly string[]; readonly value: unknown };

/** The place that an axis names, where a feature may have any name, and its values as a text. */
function axisOf({ features }: SpecInput, text: string) {
  const head = 'features.';
  const names = Object.keys(features).sort((a, b) => b.length - a.length);
  const isNamed = (name: string) =>
    text.startsWith(head + name) && /^[.=]/.test(text.slice(head.length + name.length));
  const name = names.find(isNamed);
  const before = name === undefined ? [] : ['features', name];
  const rest = name === undefined ? `.${text}` : text.slice(head.length + name.length);
  const [, path, values = ''] = /^((?:\.[A-Za-z0-9_]+)*)=(.+)$/s.exec(rest) ?? [];
  if (path !== undefined) {
    const own = [...before, ...path.split('.').slice(1)];
    if (own.length > 0) return { path: own, values };
  }
  throw invalid(
    '--grid: must be path=value,value such as online.rate=0.1,0.03; of a list the whole is named, as ' +
      `network.hidden=[32],[64] (found ${text})`,
  );
}

/** Values between commas; a list in brackets is one. */
function valuesOf(text: string): readonly unknown[] {
  try {
    return JSON.parse(`[${text}]`) as unknown[];
  } catch {
    return text.split(',').map((part) => jsonIfAny(part) ?? part);
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
