import type { JobSummary } from '../operations/describe-model.ts';
import { outputLines } from './output-lines.ts';
import { figure, formatCount, formatTable, wordsOf, wrapped } from './progress.ts';

/** A table of jobs, and why each ended as it did. */
export function jobLines(jobs: readonly JobSummary[]): readonly string[] {
  const rows = jobs.map(({ job, status, epoch, rows: count, refusedRows, heldOutLoss, loss }) => [
    job,
    status,
    String(epoch),
    formatCount(count),
    String(refusedRows),
    // (Without held-out rows it is the loss of what was trained on.)
    heldOutLoss === undefined && loss !== undefined
      ? `${figure(loss)} trained`
      : figure(heldOutLoss),
  ]);
  return [
    formatTable([['job', 'status', 'epoch', 'rows', 'refused', 'loss'], ...rows]),
    ...jobs.flatMap(({ job, reason }) =>
      reason === undefined ? [] : wrapped(`${job}: ${reason}`),
    ),
    ...jobs.flatMap(heldOutLines),
  ];
}

/** What a job's challenger came to on held-out rows, and the champion beside it. */
function heldOutLines({ job, heldOut }: JobSummary): readonly string[] {
  const { champion = {}, challenger } = heldOut?.figures ?? {};
  if (challenger === undefined) return [];
  const others: Readonly<Record<string, unknown>> = champion;
  const texts = Object.entries(challenger).flatMap(([name, value]) => {
    if (typeof value !== 'number' || !shownFigures.has(name)) return [];
    const other = others[name];
    const beside = typeof other === 'number' ? ` (${figure(other)})` : '';
    return [`${wordsOf(name)} ${figure(value)}${beside}`];
  });
  return [
    ...wrapped(`${job}: held out (the champion): ${texts.join(', ')}`),
    ...outputLines(challenger),
  ];
}

/** Those that say most; `jobs --json` has all. */
const shownFigures: ReadonlySet<string> = new Set([
  'loss',
  'accuracy',
  'balancedAccuracy',
  'areaUnderCurve',
  'calibrationError',
  'meanAbsoluteError',
  'rSquared',
]);
