import { createWriteStream } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { setTimeout as delay } from 'node:timers/promises';
import { type ByteSource, bytesInMemory } from '../datasets/byte-source.ts';
import { openFile } from '../datasets/local-file.ts';
import { readSamples } from '../datasets/read-samples.ts';
import { invalid } from '../errors.ts';
import { currentState } from '../fold/fold.ts';
import { draftSpec } from '../operations/draft-spec.ts';
import { evaluateFile } from '../operations/evaluate-file.ts';
import { sendFile } from '../operations/send-file.ts';
import { plainJson } from '../parse.ts';
import { openModel } from '../serving/open-model.ts';
import type { SamplePrediction } from '../serving/predict-samples.ts';
import { count, type Io, modelOf } from './io.ts';
import { figure } from './models.ts';
import { formatCount, formatTable } from './progress.ts';
import { specOf } from './train.ts';

/** A file of samples that is named on the command line; `-` is what is piped in, as JSON Lines. */
async function withFile<Result>(
  path: string,
  use: (file: { readonly name: string; readonly bytes: ByteSource }) => Promise<Result>,
): Promise<Result> {
  if (path === '-') {
    const bytes = bytesInMemory(await buffer(process.stdin));
    return use({ name: 'standard-input.jsonl', bytes });
  }
  const file = await openFile(path);
  try {
    return await use({ name: path, bytes: file });
  } finally {
    await file.close();
  }
}

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
  const sent = await withFile(path, (file) =>
    sendFile(ports, spec, file, {
      ...(rate === undefined ? {} : { rate }),
      ...(perMessage === undefined ? {} : { samplesPerMessage: perMessage }),
      wait: (milliseconds) => delay(milliseconds),
    }),
  );
  const seconds = (ports.now() - started) / 1_000;
  result({ ...sent, seconds });
  for (const { line, reason } of sent.bad.slice(0, 10)) print(`  line ${line}: ${reason}`);
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
  const { ports } = io;
  const spec = await specOf(io, model);
  const opened = await openModel(ports, model);
  const isCsv = (format ?? (/\.(csv|tsv)(\.gz)?$/i.test(out ?? path) ? 'csv' : 'jsonl')) === 'csv';
  const output = out === undefined ? process.stdout : createWriteStream(out);
  let rows = 0;
  let refused = 0;
  let columns: readonly string[] | undefined;
  await withFile(path, async (file) => {
    for await (const chunk of readSamples(spec, { ...file, columns: 'all' })) {
      for (const { line, reason } of chunk.bad) process.stderr.write(`line ${line}: ${reason}\n`);
      const answer = await opened.predict(chunk.samples);
      if (!answer.ok) throw invalid(answer.reason);
      const lines = chunk.rows.map((row, i) => {
        const predicted = fieldsOf(answer.predictions[i]);
        return { ...row, ...predicted };
      });
      rows += lines.length;
      refused += answer.predictions.filter((each) => 'refused' in each).length;
      if (isCsv && columns === undefined && lines.length > 0) {
        columns = [...new Set(lines.flatMap((line) => Object.keys(line)))];
        output.write(`${columns.map(csvCell).join(',')}\n`);
      }
      const text = lines.map((line) => (isCsv ? csvLine(columns ?? [], line) : jsonLine(line)));
      if (text.length > 0) output.write(`${text.join('\n')}\n`);
    }
  });
  if (out !== undefined) await new Promise<void>((done) => output.end(() => done()));
  process.stderr.write(
    `${model}: ${count(rows, 'row')} predicted` +
      `${refused === 0 ? '' : `, ${count(refused, 'row')} refused (column refused says why)`}` +
      `${out === undefined ? '' : `, in ${out}`}\n`,
  );
  return 0;
}

/** The columns of a prediction. Their names begin with `predicted`, so that none hides the input's. */
function fieldsOf(prediction: SamplePrediction | undefined): Record<string, unknown> {
  if (prediction === undefined) return {};
  if ('value' in prediction) return { predicted: prediction.value };
  if ('probability' in prediction) return { predicted_probability: prediction.probability };
  if ('refused' in prediction) {
    const { field, reason } = prediction.refused;
    return { refused: `${field}: ${reason}` };
  }
  const { class: name, probabilities } = prediction;
  const each = Object.entries(probabilities).map(([other, p]) => [
    `predicted_probability_${other}`,
    p,
  ]);
  return { predicted: name, ...Object.fromEntries(each) };
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
  const model = await modelOf(ports, name);
  const state = await currentState(ports, model);
  const evaluation = await withFile(path, (file) => evaluateFile(model, state, file));
  result({ model: name, sequence: state.sequence, ...evaluation });
  const { samples, refused, confusion, ...figures } = evaluation;
  print(
    `${name} at entry ${state.sequence}: ${count(samples, 'sample')}` +
      (refused === 0 ? '' : `, ${formatCount(refused)} refused`),
  );
  for (const [metric, value] of Object.entries(figures))
    print(`  ${words(metric)} ${figure(value)}`);
  if (confusion !== undefined && confusion.classes.length <= 12) {
    print('  label by row, prediction by column:');
    const rows = confusion.classes.map((each, i) => [
      each,
      ...(confusion.counts[i] ?? []).map(formatCount),
    ]);
    print(formatTable([['', ...confusion.classes], ...rows]));
  }
  return 0;
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
  const name = model ?? nameOf(path);
  const draft = await withFile(path, (file) => draftSpec(name, file, label));
  const { spec, rows, left, doubts } = draft;
  const text = `${JSON.stringify(spec, null, 2)}\n`;
  await writeFile(out, text, { flag: 'wx' }).catch((cause: unknown) => {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw invalid(`${out} cannot be written: ${reason}; --out names another file`, cause);
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
