import { once } from 'node:events';
import { createWriteStream, rmSync, type WriteStream } from 'node:fs';
import { rename, writeFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { finished } from 'node:stream/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { readSamples } from '../datasets/read-samples.ts';
import { invalid, reasonOf } from '../errors.ts';
import { currentState } from '../fold/fold.ts';
import { existingModel } from '../model/model.ts';
import { draftSpec } from '../operations/draft-spec.ts';
import { evaluateFile } from '../operations/evaluate-file.ts';
import { sendFile } from '../operations/send-file.ts';
import { parse, plainJson } from '../parse.ts';
import { openModel } from '../serving/open-model.ts';
import type { SamplePrediction } from '../serving/predict-samples.ts';
import { modelName } from '../spec/names.ts';
import { count, type Io } from './io.ts';
import { figure } from './models.ts';
import { withFile } from './named-file.ts';
import { formatCount, formatTable } from './progress.ts';
import { specOf } from './train.ts';

/** Sends a file's rows to a model as samples. */
export async function send(
  io: Io,
  model: string,
  path: string,
  {
    rate,
    perMessage,
  }: { readonly rate?: number | undefined; readonly perMessage?: number | undefined },
): Promise<number> {
  const { ports, print, result } = io;
  const spec = await specOf(io, model);
  const started = ports.now();
  const stop = () => {
    print(`\n${model}: stopped; the same command goes on where it was, and sends nothing twice`);
    process.exit(130);
  };
  process.once('SIGINT', stop);
  const sent = await withFile(
    path,
    (file) =>
      sendFile(ports, spec, file, {
        ...(rate === undefined ? {} : { rate }),
        ...(perMessage === undefined ? {} : { samplesPerMessage: perMessage }),
        wait: (milliseconds) => delay(milliseconds),
      }),
    io,
  );
  process.off('SIGINT', stop);
  const seconds = (ports.now() - started) / 1_000;
  result({ ...sent, seconds });
  for (const { line, reason } of sent.bad.slice(0, 10))
    print(`  not sent, line ${line}: ${reason}`);
  if (sent.badRows > 10) print(`  ${count(sent.badRows, 'row')} in all not sent`);
  for (const { line, reason } of sent.refusals.slice(0, 5)) print(`  line ${line}, ${reason}`);
  if (sent.refused > 0)
    print(
      `  ${count(sent.refused, 'row')} cannot be learnt, and will be refused; ` +
        `see: millrace quarantine ${model}`,
    );
  if (sent.samples === 0) {
    const hint = path === '-' ? ' (what is piped in is read as JSON Lines)' : '';
    print(`${model}: there is no row to send${hint}`);
    return 1;
  }
  const before =
    sent.settledBefore === 0 ? '' : `, ${count(sent.settledBefore, 'message')} settled before`;
  print(
    `${model}: ${count(sent.samples, 'sample')} in ${count(sent.messages, 'message')} sent${before}; ` +
      `${formatCount(sent.samples / Math.max(seconds, 0.001))} samples/s`,
  );
  print(`  as producer ${sent.producer}; sending the file again changes nothing`);
  return 0;
}

/** Predicts a file's rows, and writes the predictions beside the input's columns. */
export async function predict(
  io: Io,
  model: string,
  path: string,
  { out, format }: { readonly out?: string | undefined; readonly format?: string | undefined },
): Promise<number> {
  await specOf(io, model);
  const opened = await openModel(io.ports, model);
  const isCsv = (format ?? (/\.(csv|tsv)(\.gz)?$/i.test(out ?? path) ? 'csv' : 'jsonl')) === 'csv';
  // Beside the file first: what breaks off, or reads what it writes, leaves no half of it.
  const output = out === undefined ? process.stdout : await openOutput(`${out}.part`);
  const stop = () => {
    if (out !== undefined) rmSync(`${out}.part`, { force: true });
    process.exit(130);
  };
  process.once('SIGINT', stop);
  const sums = { rows: 0, refused: 0 };
  const write = lineWriter(output, isCsv);
  let named: Naming | undefined;
  await withFile(
    path,
    async (file) => {
      for await (const chunk of readSamples(opened.spec(), { ...file, columns: 'all' })) {
        for (const { line, reason } of chunk.bad) process.stderr.write(`line ${line}: ${reason}\n`);
        const answer = await opened.predict(chunk.samples);
        if (!answer.ok) throw invalid(answer.reason);
        const { predictions } = answer;
        named ??= namingBeside(chunk.rows);
        const names = named;
        await write(chunk.rows.map((row, i) => ({ ...row, ...fieldsOf(predictions[i], names) })));
        sums.rows += predictions.length;
        sums.refused += predictions.filter((each) => 'refused' in each).length;
      }
    },
    out === undefined && process.stdout.isTTY ? {} : io,
  );
  if (out !== undefined) {
    await finished(output.end());
    await rename(`${out}.part`, out);
  }
  process.off('SIGINT', stop);
  const { rows, refused } = sums;
  process.stderr.write(
    `${model}: ${count(rows - refused, 'row')} predicted` +
      `${refused === 0 ? '' : `, ${count(refused, 'row')} refused (the column refused says why)`}` +
      `${out === undefined ? '' : `, in ${out}`}\n`,
  );
  if (opened.state().sequence === 0 && opened.spec().initialWeights === undefined)
    process.stderr.write(`${model} has learnt nothing yet: these are no predictions of worth\n`);
  if (out !== undefined) io.result({ model, rows, refused, out });
  return rows === refused ? 1 : 0;
}

/** A file to write into. @throws MillraceError kind `invalid` if it cannot be written */
async function openOutput(path: string): Promise<WriteStream> {
  const output = createWriteStream(path);
  await once(output, 'open').catch((cause: unknown) => {
    throw invalid(`--out: ${reasonOf(cause)}`, cause);
  });
  // What fails later is thrown where it is finished.
  return output.on('error', () => undefined);
}

/** Writes lines of CSV, under the columns of the first, or of JSON. */
function lineWriter(output: NodeJS.WritableStream, isCsv: boolean) {
  let columns: readonly string[] | undefined;
  return async (lines: readonly Readonly<Record<string, unknown>>[]) => {
    if (lines.length === 0) return;
    const texts = lines.map((line) => {
      if (!isCsv) return jsonLine(line);
      const head = columns === undefined ? [...new Set(lines.flatMap(Object.keys))] : undefined;
      columns ??= head;
      const own = csvLine(columns ?? [], line);
      return head === undefined ? own : `${head.map(csvCell).join(',')}\n${own}`;
    });
    if (!output.write(`${texts.join('\n')}\n`)) await once(output, 'drain');
  };
}

/** What the columns of predictions are called. */
type Naming = { readonly prefix: string; readonly refused: string };

/** Names that hide none of the input's columns: the input may have been predicted before. */
function namingBeside(rows: readonly Readonly<Record<string, unknown>>[]): Naming {
  const taken = new Set(rows.flatMap((row) => Object.keys(row)));
  const free = (name: string) => {
    const isTaken = (own: string) =>
      [...taken].some((column) => column === own || column.startsWith(`${own}_probability`));
    for (let i = 1; ; i++) {
      const own = i === 1 ? name : `${name}_${i}`;
      if (!isTaken(own)) return own;
    }
  };
  return { prefix: free('predicted'), refused: free('refused') };
}

/** The columns of a prediction. */
function fieldsOf(
  prediction: SamplePrediction | undefined,
  { prefix, refused }: Naming,
): Record<string, unknown> {
  if (prediction === undefined) return {};
  if ('value' in prediction) return { [prefix]: prediction.value };
  if ('probability' in prediction) {
    const { probability } = prediction;
    return { [prefix]: probability > 0.5, [`${prefix}_probability`]: probability };
  }
  if ('refused' in prediction) {
    const { field, reason } = prediction.refused;
    return { [refused]: `${field}: ${reason}` };
  }
  const { class: name, probabilities } = prediction;
  const each = Object.entries(probabilities).map(([other, p]) => [
    `${prefix}_probability_${other}`,
    p,
  ]);
  return { [prefix]: name, ...Object.fromEntries(each) };
}

function csvLine(columns: readonly string[], line: Readonly<Record<string, unknown>>): string {
  return columns.map((column) => csvCell(line[column])).join(',');
}

function csvCell(value: unknown): string {
  if (value === undefined || value === null) return '';
  const text = textOf(value);
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

function textOf(value: unknown): string {
  if (value instanceof Date) return value.toISOString();
  return typeof value === 'object' && value !== null ? jsonLine(value) : String(value);
}

function jsonLine(value: object): string {
  return JSON.stringify(value, plainJson);
}

/** Holds a model's predictions against a file's labels. */
export async function evaluate(io: Io, name: string, path: string): Promise<number> {
  const { ports, print, result } = io;
  const model = await existingModel(ports, name);
  const state = await currentState(ports, model);
  const evaluation = await withFile(path, (file) => evaluateFile(model, state, file), io);
  result({ model: name, sequence: state.sequence, ...evaluation });
  const { samples, refused, confusion, ...figures } = evaluation;
  print(
    `${name} at entry ${state.sequence}: ${count(samples, 'sample')}` +
      (refused === 0 ? '' : `, ${formatCount(refused)} refused`),
  );
  for (const [metric, value] of Object.entries(figures))
    print(`  ${words(metric)} ${figure(value)}`);
  if (state.sequence === 0 && model.spec.initialWeights === undefined)
    print(`  ${name} has learnt nothing yet`);
  if (samples === 0) print('  no row has a label and features that can be read');
  if (samples > 0 && confusion !== undefined && confusion.classes.length <= 12) {
    print('  label by row, prediction by column:');
    const rows = confusion.classes.map((each, i) => [
      each,
      ...(confusion.counts[i] ?? []).map(formatCount),
    ]);
    print(formatTable([['', ...confusion.classes], ...rows]));
  }
  return samples === 0 ? 1 : 0;
}

/** `rootMeanSquaredError` as people write it. */
function words(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);
}

/** Drafts a spec from a file, and says what it saw and what it doubts. */
export async function init(
  { print, result }: Pick<Io, 'print' | 'result'>,
  path: string,
  {
    label,
    model,
    out,
  }: {
    readonly label?: string | undefined;
    readonly model?: string | undefined;
    readonly out: string;
  },
): Promise<number> {
  const name = parse(modelName, model ?? nameOf(path), '--model');
  const draft = await withFile(path, (file) => draftSpec(name, file, label));
  const { spec, rows, left, doubts } = draft;
  const text = `${JSON.stringify(spec, null, 2)}\n`;
  await writeFile(out, text, { flag: 'wx' }).catch((cause: unknown) => {
    throw invalid(`${out} cannot be written: ${reasonOf(cause)}; --out names another file`, cause);
  });
  result({ ...draft, out });
  print(
    `${out}: ${spec.task}, ${count(Object.keys(spec.features).length, 'feature')}, from ${count(rows, 'row')}`,
  );
  for (const { column, reason } of left) print(`  left out ${column}: ${reason}`);
  for (const doubt of doubts) print(`  look at ${doubt}`);
  print(`next: millrace create ${out}`);
  return 0;
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
