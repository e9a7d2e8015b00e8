import { existingSpec } from '../fold/current-model.ts';
import type { Patience } from '../operations/await-command.ts';
import { type PreparedSpec, prepareSpec, sendSpec } from '../operations/change-spec.ts';
import type { SpecDifference } from '../operations/differences.ts';
import { listNames } from '../parse.ts';
import { backtestTable } from './backtest.ts';
import { count, type Io } from './io.ts';
import { entriesBar, formatCount, wrapped } from './progress.ts';
import { readSpecFile } from './spec-file.ts';
import { tellEnd } from './tell-end.ts';

/** How a spec is changed. */
export type SpecArguments = {
  /** A file with the spec that is to hold; absent: the one that holds is shown. */
  readonly path?: string | undefined;
  readonly isRelearnt: boolean;
};

/**
 * Shows the spec of a model, or changes it. The change says first what differs, and what both
 * specs would have earned. With patience it waits until it is done; the answer is 1 if it was
 * refused.
 */
export async function spec(
  io: Io,
  name: string,
  { path, isRelearnt }: SpecArguments,
  patience?: Patience,
): Promise<number> {
  const { ports, print, result, mayChange, progress } = io;
  if (path === undefined) {
    const { stored } = await existingSpec(ports, name);
    result(stored);
    print(JSON.stringify(stored, null, 2));
    return 0;
  }
  const bar = entriesBar(progress, 'learning again');
  const prepared = await prepareSpec(ports, name, await readSpecFile(path), {
    isRelearnt,
    onProgress: bar.update,
  }).finally(bar.finish);
  for (const line of linesOf(prepared)) print(line);
  const { from, to, model } = prepared;
  const weights =
    from === 'weights' ? 'the weights in use' : 'weights that have learnt the journal again by it';
  const { differences, compared, unseen, leftOut } = prepared;
  const told = { model, from, to, differences, compared, unseen, leftOut };
  const would = `${model}: go on after entry ${to} by this spec, with ${weights}`;
  if (!(await mayChange(would))) {
    result({ changed: false, would, ...told });
    return 0;
  }
  const command = { spec: await sendSpec(ports, prepared) };
  if (patience === undefined) {
    print(`${model}: sent the command; it is done in its turn`);
    result({ ...told, ...command });
    return 0;
  }
  const own = { ...io, result: (end: unknown) => result({ ...told, ...(end as object) }) };
  return tellEnd(own, model, command, { after: to, patience });
}

/** Differences that are shown one by one. */
const shownDifferences = 20;

function linesOf({
  model,
  differences,
  from,
  compared,
  unseen = [],
  leftOut = [],
}: PreparedSpec): readonly string[] {
  const shown = differences.slice(0, shownDifferences);
  const left = differences.length - shown.length;
  const [before, after] = compared ?? [];
  return [
    ...shown.flatMap((each) => wrapped(`${each.path}: ${changeText(each)}`)),
    ...(left === 0 ? [] : [`  and ${formatCount(left)} more`]),
    ...(from === 'weights'
      ? ['  it says the same of what weights mean: they stay (what it earns, says backtest --spec)']
      : []),
    ...(compared === undefined ? [] : [backtestTable(compared)]),
    ...(before !== undefined && after !== undefined && after.refused > before.refused
      ? [`  it cannot learn ${count(after.refused, 'sample')} of those that were learnt`]
      : []),
    ...unseen.map(
      (feature) => `  no sample of the journal has ${feature}: it was learnt as missing there`,
    ),
    ...(leftOut.length === 0
      ? []
      : wrapped(
          `what ${listNames(leftOut)} learnt of a dataset is lost with it; start a job afterwards: ` +
            `npx millrace train ${model} <dataset>`,
        )),
  ];
}

function changeText({ before, after, isPart }: SpecDifference): string {
  if (!isPart || !Array.isArray(before) || !Array.isArray(after))
    return `${textOf(before)} → ${textOf(after)}`;
  const parts = [
    ...before.map((each) => `− ${textOf(each)}`),
    ...after.map((each) => `+ ${textOf(each)}`),
  ];
  const more = parts.length - shownParts;
  return [...parts.slice(0, shownParts), ...(more > 0 ? [`and ${more} more`] : [])].join(', ');
}

/** Values of a list that are shown. */
const shownParts = 5;

function textOf(value: unknown): string {
  if (value === undefined) return 'nothing';
  const text = JSON.stringify(value);
  return text.length > 60 ? `${text.slice(0, 57)}…` : text;
}
