import { type ColumnSummary, showDataset } from '../operations/show-dataset.ts';
import { inOneLine, parse } from '../parse.ts';
import { datasetName } from '../spec/names.ts';
import { count, type Io } from './io.ts';
import { lateBar } from './named-file.ts';
import { figure, formatCount, sparkline, columns as terminalColumns } from './progress.ts';

/** Says what is in the columns of a dataset. */
export async function showColumns(io: Io, name: string, files?: string): Promise<number> {
  const { ports, print, result } = io;
  const dataset = parse(datasetName, name, 'dataset');
  const bar = lateBar(io, 'reading', 'rows');
  const shown = await showDataset(ports, { dataset, files }, (rows) => bar.update(rows)).finally(
    () => bar.finish(),
  );
  result(shown);
  const { files: objects, rows, refusedRows } = shown;
  const columns = shown.columns.map((each) => ({ ...each, column: inOneLine(each.column) }));
  const width = Math.min(20, Math.max(6, ...columns.map(({ column }) => column.length)));
  const cells = columns.map((each) => [
    each.column.length > width ? `${each.column.slice(0, width - 1)}…` : each.column.padEnd(width),
    kindOf(each).padEnd(13),
    formatCount(rows - each.present).padStart(11),
    whatIn(each),
  ]);
  const head = ['column'.padEnd(width), 'kind'.padEnd(13), 'missing'.padStart(11), 'values'];
  for (const line of [head, ...cells]) {
    const text = `  ${line.join('  ')}`.trimEnd();
    print(text.length > terminalColumns ? `${text.slice(0, terminalColumns - 1)}…` : text);
  }
  print(
    `${dataset}: ${count(objects, 'file')}, ${count(rows, 'row')}` +
      (refusedRows === 0 ? '' : `, and ${formatCount(refusedRows)} that cannot be read`),
  );
  return 0;
}

function kindOf({ kind, distinct }: ColumnSummary): string {
  if (kind !== 'text') return kind;
  return distinct === undefined ? 'text (many)' : `text (${formatCount(distinct)})`;
}

/** Numbers and times as a histogram, the least and the greatest; others by their shares. */
function whatIn({ numbers, times, values = [], present }: ColumnSummary): string {
  if (numbers !== undefined) {
    const { histogram, least, mean, greatest } = numbers;
    return `${sparkline([0, ...histogram]).slice(1)}  ${[least, mean, greatest].map(short).join(' … ')}`;
  }
  if (times !== undefined) {
    const [least, greatest] = [times.least, times.greatest].map((time) => time.slice(0, 16));
    return `${sparkline([0, ...times.histogram]).slice(1)}  ${least} … ${greatest}`;
  }
  return values
    .map(({ value, count: times }) => `${inOneLine(value)} ${share(times, present)}`)
    .join(', ');
}

/** A number that leaves room for others. */
function short(value: number): string {
  return Math.abs(value) >= 1e7 ? value.toExponential(3) : figure(value);
}

function share(times: number, all: number): string {
  const percent = (100 * times) / all;
  return `${percent >= 10 ? Math.round(percent) : Number(percent.toPrecision(2))} %`;
}
