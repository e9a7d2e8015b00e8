import { invalid } from '../errors.ts';
import { backtest, backtestFrozen } from '../operations/backtest.ts';
import type { Backtest } from '../operations/learn-stream.ts';
import { readCandidates } from './candidates.ts';
import { count, type Io } from './io.ts';
import { entriesBar, figure, formatCount, formatTable, wrapped } from './progress.ts';

/** What a backtest is asked for. */
export type BacktestArguments = {
  readonly specs: readonly string[];
  readonly grid: readonly string[];
  readonly from?: number | undefined;
  readonly to?: number | undefined;
  readonly seeds?: number | undefined;
  /** Whether the last batch job's weights are held against themselves, frozen. */
  readonly isFrozen?: boolean;
};

/** Learns a model's journal again by other specs, and shows what each would have earned. */
export async function runBacktest(
  { ports, print, result, progress }: Io,
  name: string,
  { specs, grid, isFrozen = false, ...options }: BacktestArguments,
): Promise<number> {
  const { from, seeds } = options;
  if (isFrozen && (specs.length > 0 || grid.length > 0 || (from ?? seeds) !== undefined))
    throw invalid('--frozen: it begins at the last batch job, by its spec; only --to goes with it');
  const candidates = isFrozen ? [] : await readCandidates(ports, name, { specs, grid });
  const bar = entriesBar(progress, 'learning again');
  const all = { ...options, onProgress: bar.update };
  const results = await (isFrozen
    ? backtestFrozen(ports, name, all)
    : backtest(ports, name, candidates, all)
  ).finally(bar.finish);
  result(results);
  print(backtestTable(results));
  for (const { name: spec, refused, firstRefusal } of results)
    if (firstRefusal !== undefined)
      for (const line of wrapped(
        `${spec}: ${formatCount(Math.round(refused))} refused, the first: ${firstRefusal}`,
      ))
        print(line);
  const [first, ...others] = results;
  if (new Set(results.map(({ refused }) => refused)).size > 1)
    print('they refuse different samples: their figures are not of the same ones');
  if (!isFrozen && others.length > 0 && others.every(({ loss }) => loss === first?.loss))
    print('all earned the same: what they differ in has no effect (experts have their own rates)');
  print(
    `of ${count(Math.round(first?.samples ?? 0), 'sample')}; the labels alone would have earned ` +
      figure(first?.baselineLoss ?? Number.NaN),
  );
  return 0;
}

/** What specs would have earned, as a table. */
export function backtestTable(results: readonly Backtest[]): string {
  return formatTable([head(results), ...results.map(rowOf)]);
}

function head([first]: readonly Backtest[]): readonly string[] {
  return [
    'spec',
    'loss',
    'spread',
    first?.meanAbsoluteError === undefined ? 'accuracy' : 'MAE',
    ...(first?.areaUnderCurve === undefined ? [] : ['AUC']),
    'refused',
    'samples/s',
  ];
}

function rowOf(each: Backtest): readonly string[] {
  return [
    each.name,
    figure(each.loss),
    // (Of one seed there is none.)
    each.lossSpread === undefined ? '–' : figure(each.lossSpread),
    figure(each.accuracy ?? each.meanAbsoluteError ?? Number.NaN),
    ...(each.areaUnderCurve === undefined ? [] : [figure(each.areaUnderCurve)]),
    formatCount(Math.round(each.refused)),
    // (Too short to be measured.)
    Number.isFinite(each.samplesPerSecond) ? formatCount(Math.round(each.samplesPerSecond)) : '–',
  ];
}
