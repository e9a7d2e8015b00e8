import { existsSync } from 'node:fs';
import { invalid } from '../errors.ts';
import type { Candidate } from '../operations/learn-stream.ts';
import {
  type Measure,
  type SweepSoFar,
  scoreOf,
  startSweep,
  sweepSoFar,
  type TrialOutcome,
} from '../operations/sweep.ts';
import { readCandidates } from './candidates.ts';
import { figureColumns } from './cross-validate.ts';
import type { Io } from './io.ts';
import { figure, formatCount, formatTable } from './progress.ts';
import { quoted } from './quoted.ts';
import { writeSpecFile } from './spec-file.ts';
import { untilOver } from './until-over.ts';

/** What is asked for. */
export type SweepArguments = {
  readonly model: string;
  readonly dataset: string;
  readonly files?: string | undefined;
  readonly specs: readonly string[];
  readonly grid: readonly string[];
  /** Where the best spec is written. */
  readonly out?: string | undefined;
};

/** A candidate, and what it came to; undefined if nobody could train it. */
type Tried = { readonly candidate: Candidate; readonly outcome: TrialOutcome | undefined };

/** Trains by several specs side by side, and shows which predicts held-out rows best. */
export async function runSweep(
  io: Io,
  { model, dataset, files, specs, grid, out }: SweepArguments,
): Promise<number> {
  const { ports, print, result, progress } = io;
  const candidates = await readCandidates(ports, model, { specs, grid });
  if (candidates.length === 0)
    throw invalid(
      'millrace sweep: name what to try: --spec other.json, or --grid path=value,value',
    );
  if (out !== undefined && existsSync(out))
    throw invalid(`--out: ${out} is there already; name another file`);
  const sweep = await startSweep(ports, model, { dataset, files, candidates });
  const bar = progress?.bar('training', sweep.candidates.length, 'specs');
  const { trials } = await untilOver<SweepSoFar>('the specs that are tried', async (before) => {
    const soFar = await sweepSoFar(ports.store, sweep, before?.outcomes);
    bar?.update(soFar.outcomes.size);
    return soFar;
  }).finally(() => bar?.finish());
  const tried = sweep.candidates.map((candidate, i) => ({ candidate, outcome: trials[i] }));
  const { measure } = sweep;
  const score = ({ outcome }: Tried) => scoreOf(outcome, measure);
  const ranked = [...tried].sort((a, b) => score(a) - score(b));
  result(ranked.map(({ candidate: { name }, outcome }) => ({ name, ...(outcome ?? nobody) })));
  if (tried.some(({ outcome }) => outcome !== undefined && 'heldOut' in outcome))
    print(tableOf(ranked));
  if (measure !== 'loss')
    print(
      `ranked by ${measures[measure]}: losses of specs with another loss, or other weights of ` +
        'classes, say nothing of each other',
    );
  for (const { candidate, outcome = nobody } of ranked)
    if ('failure' in outcome) print(`${candidate.name}: ${outcome.failure}`);
  const scores = ranked.map(score).filter(Number.isFinite);
  if (new Set(scores).size < scores.length)
    print(
      'some came to the same: a grid names what the spec has already, or what has no effect ' +
        '(experts have networks and rates of their own, and one that it says nothing of may decide)',
    );
  const [best] = ranked;
  if (best === undefined || !Number.isFinite(score(best))) return 1;
  await tellBest(io, { model, out, isOwn: best.candidate === sweep.candidates[0] }, best.candidate);
  return 0;
}

const nobody: TrialOutcome = { failure: 'nobody could train it; see the logs' };

const measures: Readonly<Record<Measure, string>> = {
  loss: 'loss',
  meanAbsoluteError: 'mean absolute error',
  balancedAccuracy: 'balanced accuracy',
};

function tableOf(ranked: readonly Tried[]): string {
  const done = ranked.flatMap(({ candidate, outcome }) =>
    outcome !== undefined && 'heldOut' in outcome ? [{ ...outcome, name: candidate.name }] : [],
  );
  const shown = figureColumns.filter(([name]) =>
    done.some(({ heldOut }) => heldOut[name] !== undefined),
  );
  // (Of few held-out rows what is best for all of them says nothing.)
  const hasBaseline = done.some(({ baseline }) => baseline !== undefined);
  const titles = shown.map(([, title]) => title);
  const head = ['spec', 'rows', 'epochs', ...titles, ...(hasBaseline ? ['labels alone'] : [])];
  const rows = done.map(({ name, rows: learnt, epochs, heldOut, baseline }) => [
    name,
    formatCount(learnt),
    String(epochs),
    ...shown.map(([column]) => figure(heldOut[column])),
    ...(hasBaseline ? [figure(baseline)] : []),
  ]);
  return formatTable([head, ...rows]);
}

async function tellBest(
  { print }: Pick<Io, 'print'>,
  {
    model,
    out,
    isOwn,
  }: { readonly model: string; readonly out?: string | undefined; readonly isOwn: boolean },
  { name, spec }: Candidate,
): Promise<void> {
  print(`the best: ${name}`);
  if (out !== undefined) {
    await writeSpecFile(out, spec);
    print(`${quoted(out)}: its spec`);
  }
  const file = out === undefined ? '<its file>' : quoted(out);
  if (!isOwn) print(`next: npx millrace spec ${model} ${file}, then train`);
}
