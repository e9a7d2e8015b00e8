import { basename } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import * as z from 'zod';
import { invalid } from '../errors.ts';
import { tasks } from '../features/task.ts';
import { currentModel } from '../fold/current-model.ts';
import type { Figures } from '../metrics/figures.ts';
import type { LabelRivals } from '../metrics/rival-sums.ts';
import { draftSpec } from '../operations/draft-spec.ts';
import { evaluateFile } from '../operations/evaluate-file.ts';
import { evaluateWindow } from '../operations/evaluate-window.ts';
import { sendFile } from '../operations/send-file.ts';
import { parse } from '../parse.ts';
import { modelName } from '../spec/names.ts';
import { absentLines } from './absent.ts';
import { earnedTable } from './earned-tables.ts';
import { assertIsNotFollowed } from './followed-place.ts';
import { count, type Io } from './io.ts';
import { lateBar, withFile } from './named-file.ts';
import { formatCount, formatTable, wrapped } from './progress.ts';
import { quoted } from './quoted.ts';
import { writeSpecFile } from './spec-file.ts';
import { specOf } from './train.ts';
import { whenStopped } from './when-stopped.ts';

/** Sends a file's rows to a model as samples. */
export async function send(
  io: Io,
  model: string,
  path: string,
  {
    rate,
    perMessage,
    idColumn,
  }: {
    readonly rate?: number | undefined;
    readonly perMessage?: number | undefined;
    readonly idColumn?: string | undefined;
  },
): Promise<number> {
  const { ports, print, result } = io;
  const spec = await specOf(io, model);
  if (path !== '-' && idColumn === undefined) await assertIsNotFollowed(model, path);
  const started = ports.now();
  const tell = () =>
    print(`\n${model}: stopped; the same command goes on where it was, and sends nothing twice`);
  const bar = lateBar(io, 'sent', 'samples');
  const sent = await whenStopped(tell, () =>
    withFile(path, (file) =>
      sendFile(ports, spec, file, {
        ...(rate === undefined ? {} : { rate }),
        ...(perMessage === undefined ? {} : { samplesPerMessage: perMessage }),
        idColumn,
        wait: (milliseconds) => delay(milliseconds),
        onSent: bar.update,
      }),
    ).finally(bar.finish),
  );
  const seconds = (ports.now() - started) / 1_000;
  result({ ...sent, seconds });
  for (const line of absentLines(spec, sent.absent)) print(line);
  for (const { line, reason } of sent.bad.slice(0, 10))
    print(`  not sent, line ${line}: ${reason}`);
  for (const { line, reason } of sent.refusals.slice(0, 5)) print(`  line ${line}, ${reason}`);
  if (sent.refused > 0)
    print(
      `  ${count(sent.refused, 'row')} cannot be learnt, and will be refused; ` +
        `see: npx millrace quarantine ${model}`,
    );
  if (sent.samples === 0) {
    print(`${model}: ${path} has no row to send`);
    return 1;
  }
  const before =
    sent.settledBefore === 0
      ? ''
      : `, ${count(sent.settledBefore, 'message')} settled before (learnt, or in quarantine)`;
  print(
    `${model}: ${count(sent.samples, 'sample')} in ${count(sent.messages, 'message')} sent${before}; ` +
      `${formatCount(sent.samples / Math.max(seconds, 0.001))} samples/s`,
  );
  print(`  as producer ${sent.producer}; sending the same file again changes nothing`);
  if (sent.messages > 0) print(`  see it learn: npx millrace watch ${model}`);
  if (sent.badRows === 0) return 2 * sent.refused > sent.samples ? 1 : 0;
  print(
    `  ${count(sent.badRows, 'row')} not sent; mend what is told, and send that as another file`,
  );
  return 1;
}

/** Holds a model's predictions against a file's labels, or those of its stream's latest samples. */
export async function evaluate(
  io: Io,
  name: string,
  { path, last }: { readonly path: string | undefined; readonly last: number | undefined },
): Promise<number> {
  const one = 'millrace evaluate: name a file, or --last <samples> of the stream';
  if (path === undefined && last === undefined) throw invalid(one);
  if (path !== undefined && last !== undefined)
    throw invalid(`${one}, not both (found ${path} and --last ${last})`);
  return path === undefined ? evaluateLast(io, name, last ?? 0) : evaluateFileOf(io, name, path);
}

async function evaluateLast(io: Io, name: string, last: number): Promise<number> {
  const { ports, print, result } = io;
  const bar = lateBar(io, 'learning again', 'samples');
  const evaluation = await evaluateWindow(ports, name, last, bar.update).finally(bar.finish);
  result({ model: name, ...evaluation });
  const { samples, from, to, reason, ...figures } = evaluation;
  const whole =
    samples > last ? ' (entries are taken whole)' : reason === undefined ? '' : ` (${reason})`;
  const entries = from === to ? `entry ${to}` : `entries ${from} to ${to}`;
  print(`${name}, ${entries}: ${count(samples, 'sample')}${whole}`);
  printFigures(io, figures);
  return 0;
}

async function evaluateFileOf(io: Io, name: string, path: string): Promise<number> {
  const { ports, print, result } = io;
  const { model, state } = await currentModel(ports, name);
  const bar = lateBar(io, 'compared', 'samples');
  const evaluation = await withFile(path, (file) =>
    evaluateFile(model, state, file, bar.update),
  ).finally(bar.finish);
  result({ model: name, sequence: state.sequence, ...evaluation });
  const { samples, refused, firstRefusal, absent = [], ...figures } = evaluation;
  for (const line of absentLines(model.spec, absent)) print(line);
  print(
    `${name} at entry ${state.sequence}: ${count(samples, 'sample')}` +
      (refused === 0 ? '' : `, ${formatCount(refused)} refused`),
  );
  if (samples > 0) printFigures(io, figures);
  if (samples > 0 && model.spec.label.classWeights !== undefined)
    print('  rows of a file count by their own weight, whatever label.classWeights says');
  if (state.sequence === 0 && model.spec.initialWeights === undefined)
    print(`  ${name} has learnt nothing yet`);
  if (firstRefusal !== undefined) print(`  the first that is refused: ${firstRefusal}`);
  return samples === 0 ? 1 : 0;
}

function printFigures(
  { print }: Pick<Io, 'print'>,
  { confusion, ...figures }: Figures & LabelRivals & { readonly unknownClasses?: number },
): void {
  const { unknownClasses = 0 } = figures;
  const table = earnedTable('', {
    ...figures,
    baselineLoss: figures.lossOfLabelsAlone,
    baselineAccuracy: figures.accuracyOfLabelsAlone,
    lastLabelLoss: figures.lossOfLastLabel,
    lastLabelAccuracy: figures.accuracyOfLastLabel,
  });
  for (const line of table) print(line);
  if (unknownClasses > 0)
    print(`  ${count(unknownClasses, 'sample')} of classes that it does not know yet`);
  if (confusion === undefined || confusion.classes.length > 12) return;
  print('  label by row, prediction by column:');
  const rows = confusion.classes.map((each, i) => [
    each,
    ...(confusion.counts[i] ?? []).map(formatCount),
  ]);
  print(formatTable([['', ...confusion.classes], ...rows]));
}

/** Drafts a spec from a file, and says what it saw and what it doubts. */
export async function init(
  { print, result }: Pick<Io, 'print' | 'result'>,
  path: string,
  {
    labels,
    task,
    model,
    out,
    isForced,
  }: {
    readonly labels: readonly string[];
    readonly task?: string | undefined;
    readonly model?: string | undefined;
    readonly out: string;
    readonly isForced: boolean;
  },
): Promise<number> {
  const name = parse(modelName, model ?? nameOf(path), '--model');
  const options = {
    ...(labels.length === 0 ? {} : { labels }),
    ...(task === undefined ? {} : { task: parse(z.enum(tasks), task, '--task') }),
  };
  const printWrapped = (text: string) => {
    for (const line of wrapped(text.replace(/\S{80,}/g, shortened))) print(line);
  };
  const draft = await withFile(path, (file) => draftSpec(name, file, options));
  const { spec, rows, left, doubts } = draft;
  await writeSpecFile(out, spec, isForced);
  result({ ...draft, out });
  print(
    `${out}: ${spec.task}, ${count(Object.keys(spec.features).length, 'feature')}, from ${count(rows, 'row')}`,
  );
  for (const { column, reason } of left.slice(0, mostLeft))
    printWrapped(`left out ${column === '' ? 'a column' : shortened(column)}: ${reason}`);
  if (left.length > mostLeft) print(`  left out ${left.length - mostLeft} more`);
  for (const doubt of doubts) printWrapped(`note: ${doubt}`);
  if (spec.task === 'multiclass')
    print('  other classes are refused; with label.maxClasses new ones are learnt');
  print(`next: npx millrace create ${quoted(out)}`);
  return 0;
}

/** Columns that are left out of a draft, of which it is said why. */
const mostLeft = 20;

function shortened(name: string): string {
  return name.length > 60 ? `${name.slice(0, 59)}…` : name;
}

/** A model's name out of a file's. */
function nameOf(path: string): string {
  const [stem = ''] = basename(path).toLowerCase().split('.');
  return (
    stem
      .replace(/[^a-z0-9]+/g, '-')
      .replace(/^-+|-+$/g, '')
      .slice(0, 64) || 'model'
  );
}
