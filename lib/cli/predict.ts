import { once } from 'node:events';
import {
  createWriteStream,
  existsSync,
  realpathSync,
  rmSync,
  statSync,
  type WriteStream,
} from 'node:fs';
import { rename } from 'node:fs/promises';
import { finished } from 'node:stream/promises';
import { type FileChunk, readSamples } from '../datasets/read-samples.ts';
import { columnsOf } from '../datasets/rows.ts';
import { invalid } from '../errors.ts';
import { classNames } from '../features/class-weights.ts';
import { columnsOf as featureColumns } from '../features/columns.ts';
import { decimalCells } from '../features/decimal-comma.ts';
import type { DeclaredLabel } from '../features/task.ts';
import { writeProblem } from '../file-problems.ts';
import { sampleWriter } from '../operations/send-file.ts';
import { inOneLine, listNames, printable } from '../parse.ts';
import { type OpenModel, openModel } from '../serving/open-model.ts';
import type { SamplePrediction } from '../serving/predict-samples.ts';
import type { Spec } from '../spec/spec.ts';
import { absentLines } from './absent.ts';
import { count, type Io } from './io.ts';
import { lateBar, withFile } from './named-file.ts';
import { type RowWriter, rowWriter, writingOf } from './row-writer.ts';
import { specOf } from './train.ts';
import { whenStopped } from './when-stopped.ts';

/** Predicts a file's rows, and writes the predictions beside the input's columns. */
export async function predict(
  io: Io,
  model: string,
  path: string,
  {
    out,
    format,
    idColumn,
  }: {
    readonly out?: string | undefined;
    readonly format?: string | undefined;
    /** Under whose ids rows are kept until their labels come. */
    readonly idColumn?: string | undefined;
  },
): Promise<number> {
  await specOf(io, model);
  if (out !== undefined && format === undefined) assertFormat(out);
  const opened = await openModel(io.ports, model);
  // Beside the file first: what breaks off, or reads what it writes, leaves no half of it.
  const output = out === undefined ? process.stdout : await openOutput(out);
  const clear = () => {
    if (out !== undefined) rmSync(`${out}.part`, { force: true });
  };
  const sums = { rows: 0, refused: 0, unreadable: 0, entry: opened.state().sequence };
  const bar =
    out === undefined && process.stdout.isTTY ? undefined : lateBar(io, 'predicted', 'samples');
  await whenStopped(clear, async () => {
    await withFile(path, async (file) => {
      const isCsv = (format ?? formatOf(out ?? file.name)) === 'csv';
      const columns = await columnsOf(file);
      if (idColumn !== undefined && columns.length > 0 && !columns.includes(idColumn))
        throw invalid(`--id: ${path} has no column ${idColumn}; it has ${listNames(columns)}`);
      const names = namingBeside(columns, opened.spec().label);
      // Where classes come with the stream, they are those of the newest state.
      if (opened.spec().label.maxClasses !== undefined)
        await opened.predict([], { maxAgeSeconds: 0 });
      const under = isCsv ? [...columns, ...predictionColumns(opened, names)] : undefined;
      let write: RowWriter | undefined;
      for await (const chunk of readSamples(opened.spec(), { ...file, columns: 'all' })) {
        if (sums.rows === 0)
          for (const line of absentLines(opened.spec(), chunk.absent('features')))
            process.stderr.write(`${printable(line)}\n`);
        for (const { line, reason } of chunk.bad) {
          sums.unreadable += 1;
          if (sums.unreadable <= shownLines)
            process.stderr.write(`line ${line}: ${inOneLine(reason)}\n`);
        }
        const answer = await opened.predict(questionsOf(opened.spec(), chunk, idColumn));
        if (!answer.ok) throw invalid(answer.reason);
        const { predictions } = answer;
        sums.entry = answer.sequence;
        write ??= await rowWriter(
          output,
          under,
          writingOf(chunk.rows, numberColumns(opened.spec()), opened.spec().cells?.numbers),
        );
        await write(linesOf(chunk, predictions, names));
        sums.rows += predictions.length;
        bar?.update(sums.rows);
        sums.refused += predictions.filter((each) => 'refused' in each).length;
      }
      if (write === undefined) await rowWriter(output, under);
    }).finally(() => bar?.finish());
    if (out !== undefined) {
      await finished(output.end());
      assertLosesNone(out, path, sums.unreadable);
      await rename(`${out}.part`, out);
    }
  }).catch((error: unknown) => {
    clear();
    throw error;
  });
  const { rows, refused, unreadable } = sums;
  process.stderr.write(`${model}: ${saidText(sums)}${out === undefined ? '' : `, in ${out}`}\n`);
  if (opened.state().sequence === 0 && opened.spec().initialWeights === undefined)
    process.stderr.write(`${model} has learnt nothing yet: these are no predictions of worth\n`);
  if (out !== undefined) io.result({ model, rows, refused, unreadable, out });
  return rows === refused ? 1 : 0;
}

/** How many rows were predicted, by which entry, and what could not be. */
function saidText({
  rows,
  refused,
  unreadable,
  entry,
}: Readonly<Record<'rows' | 'refused' | 'unreadable' | 'entry', number>>): string {
  return [
    `${count(rows - refused, 'row')} predicted at entry ${entry}`,
    ...(refused === 0 ? [] : [`${count(refused, 'row')} refused (the column refused says why)`]),
    ...(unreadable === 0 ? [] : [`${count(unreadable, 'line')} cannot be read`]),
  ].join(', ');
}

/** The rows of a chunk in the order of their file, with what was predicted, or why nothing was. */
function linesOf(
  { rows, bad, placeOf }: FileChunk,
  predictions: readonly SamplePrediction[],
  names: Naming,
): readonly Readonly<Record<string, unknown>>[] {
  const predicted = Array.from(rows, (row, i) => ({
    line: placeOf(i).line,
    fields: { ...row, ...fieldsOf(predictions[i], names) },
  }));
  if (bad.length === 0) return predicted.map(({ fields }) => fields);
  const unreadable = bad.map(({ line, reason }) => ({ line, fields: { [names.refused]: reason } }));
  return [...predicted, ...unreadable].sort((a, b) => a.line - b.line).map(({ fields }) => fields);
}

/** Columns in which a spec takes numbers. */
function numberColumns(spec: Spec): ReadonlySet<string> {
  const { ofFeature, ofLabel } = decimalCells(spec);
  const { outputs, column, name } = spec.label;
  const features = featureColumns(spec).filter((feature) => ofFeature(feature.name));
  const labels = ofLabel ? (outputs ?? [column ?? name]) : [];
  return new Set([...features.map((feature) => feature.column), ...labels]);
}

/** What is asked of a chunk's rows: under their ids where those are in a column. */
function questionsOf(
  spec: Spec,
  { rows, samples, reader }: Pick<FileChunk, 'rows' | 'samples' | 'reader'>,
  idColumn: string | undefined,
): readonly unknown[] {
  if (idColumn === undefined) return [...samples];
  const write = sampleWriter(spec);
  return Array.from(samples, (sample, i) => ({
    ...JSON.parse(write(sample)),
    id: reader.readId(rows.at(i)?.[idColumn]) ?? null,
  }));
}

/** @throws MillraceError kind `invalid` if lines would be lost that only the file itself has */
function assertLosesNone(out: string, path: string, unreadable: number): void {
  const isOver = existsSync(out) && existsSync(path) && realpathSync(out) === realpathSync(path);
  if (unreadable === 0 || !isOver) return;
  throw invalid(
    `--out: ${count(unreadable, 'line')} of ${path} cannot be read, and would be lost if ` +
      'predictions were written over it; name another file',
  );
}

/** A file beside another, to write into. @throws MillraceError kind `invalid` if it cannot be written */
async function openOutput(out: string): Promise<WriteStream> {
  if (existsSync(out) && statSync(out).isDirectory())
    throw invalid(`--out ${out}: it is a folder; name a file`);
  const output = createWriteStream(`${out}.part`);
  await once(output, 'open').catch((cause: unknown) => {
    throw invalid(`--out ${out}: cannot be written: ${writeProblem(cause)}`, cause);
  });
  // What fails later is thrown where it is finished.
  return output.on('error', () => undefined);
}

/** Lines that cannot be read, of which it is said why. */
const shownLines = 10;

/** @throws MillraceError kind `invalid` if a file's name promises what it would not hold */
function assertFormat(out: string): void {
  if (/\.(csv|jsonl|ndjson)$/i.test(out)) return;
  throw invalid(
    `--out: must end with .csv or .jsonl (found ${out}); --format csv or jsonl says which it is`,
  );
}

/** By a name's ending. */
function formatOf(name: string): 'csv' | 'jsonl' {
  return /\.(csv|tsv)(\.gz|\.zst)?$/i.test(name) ? 'csv' : 'jsonl';
}

/** What the columns of predictions are called. */
type Naming = { readonly prefix: string; readonly refused: string };

/** Names that hide none of the input's columns: the input may have been predicted before. */
function namingBeside(columns: readonly string[], { outputs = [] }: DeclaredLabel): Naming {
  const own = ['', ...outputs.map((output) => `_${output}`)];
  const free = (name: string) => {
    const isTaken = (prefix: string) =>
      own.some((suffix) => columns.includes(prefix + suffix)) ||
      columns.some((column) => column.startsWith(`${prefix}_probability`));
    for (let i = 1; ; i++) {
      const next = i === 1 ? name : `${name}_${i}`;
      if (!isTaken(next)) return next;
    }
  };
  return { prefix: free('predicted'), refused: free('refused') };
}

/** The columns that predictions of a task may fill. */
function predictionColumns(
  opened: Pick<OpenModel, 'spec' | 'state'>,
  { prefix, refused }: Naming,
): readonly string[] {
  const { task, label } = opened.spec();
  if (label.outputs !== undefined)
    return [...label.outputs.map((name) => `${prefix}_${name}`), refused];
  const probability = `${prefix}_probability`;
  if (task === 'regression') return [prefix, refused];
  if (task === 'binary') return [prefix, probability, refused];
  const classes = classNames(opened.spec(), opened.state().statistics);
  return [prefix, ...classes.map((name) => `${probability}_${name}`), refused];
}

/** What a prediction says, by column. */
function fieldsOf(
  prediction: SamplePrediction | undefined,
  { prefix, refused }: Naming,
): Record<string, unknown> {
  if (prediction === undefined) return {};
  if ('value' in prediction) return { [prefix]: prediction.value };
  if ('values' in prediction) return withPrefix(prefix, prediction.values);
  if ('probability' in prediction) {
    const { probability } = prediction;
    return { [prefix]: probability > 0.5, [`${prefix}_probability`]: probability };
  }
  if ('refused' in prediction) {
    const { field, reason } = prediction.refused;
    return { [refused]: `${field}: ${reason}` };
  }
  const { class: name, probabilities } = prediction;
  return { [prefix]: name, ...withPrefix(`${prefix}_probability`, probabilities) };
}

/** Values in columns of their names. */
function withPrefix(prefix: string, values: Readonly<Record<string, number>>) {
  return Object.fromEntries(
    Object.entries(values).map(([name, value]) => [`${prefix}_${name}`, value]),
  );
}
