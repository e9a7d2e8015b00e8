import { basename } from 'node:path';
import { S3Client } from '@aws-sdk/client-s3';
import { keys } from '../bucket/keys.ts';
import { labelsBeside } from '../datasets/local-file.ts';
import { assertIsData } from '../datasets/rows.ts';
import { fieldInFile } from '../datasets/to-sample.ts';
import { invalid } from '../errors.ts';
import { existingSpec } from '../fold/current-model.ts';
import { checkDataset } from '../operations/check-dataset.ts';
import { describeJobs } from '../operations/describe-model.ts';
import { bytesOfFiles, putDataset } from '../operations/put-dataset.ts';
import { startJob } from '../operations/start-job.ts';
import { parse } from '../parse.ts';
import { clientSettings } from '../ports/aws.ts';
import { fileUploader } from '../ports/upload.ts';
import { recordFolder } from '../ports/upload-record.ts';
import { datasetName } from '../spec/names.ts';
import type { Spec } from '../spec/spec.ts';
import { absentLines } from './absent.ts';
import type { Call } from './call.ts';
import { count, type Io } from './io.ts';
import { jobLines } from './job-lines.ts';
import { createProgress, formatCount, formatTable } from './progress.ts';
import { watchJob } from './watch-job.ts';
import { whenStopped } from './when-stopped.ts';

/** The spec of a model. @throws MillraceError kind `invalid` if there is none */
export async function specOf({ ports }: Pick<Io, 'ports'>, name: string): Promise<Spec> {
  return (await existingSpec(ports, name)).spec;
}

/** Puts files into a dataset; those that are there already are passed over. */
export async function putFiles(
  { ports, print, result, progress }: Io,
  { bucket, environment }: Pick<Call, 'environment'> & { readonly bucket: string },
  name: string,
  paths: readonly string[],
): Promise<number> {
  const dataset = parse(datasetName, name, 'dataset');
  if (dataset === 'journal')
    throw invalid('dataset: journal stands for the samples that arrived; choose another name');
  const all = withLabels(paths);
  const sizeBytes = await bytesOfFiles(all);
  for (const path of all) assertIsData(basename(path));
  const upload = fileUploader(new S3Client(clientSettings), bucket, {
    folder: recordFolder(environment),
    now: ports.now,
  });
  const bar = progress?.bar('uploading', sizeBytes, 'bytes');
  const tell = () =>
    void process.stderr.write('\nstopped; the same command goes on from what is uploaded\n');
  const files = { dataset, paths: all };
  const put = await whenStopped(tell, () =>
    putDataset(ports.store, upload, files, (done) => bar?.update(done)).finally(() =>
      bar?.finish(),
    ),
  );
  result(put);
  for (const key of put.uploaded) {
    const place = put.replaced.includes(key) ? ', in place of another of its name' : '';
    print(`  s3://${ports.store.bucket}/${key}${place}`);
  }
  const there = put.unchanged.length;
  print(
    `${dataset}: ${count(put.uploaded.length, 'file')} uploaded` +
      (there === 0 ? '' : `, ${count(there, 'file')} there already`),
  );
  return 0;
}

/** Some files, and with images those of their labels that lie beside them. */
function withLabels(paths: readonly string[]): readonly string[] {
  return [...new Set([...paths, ...paths.flatMap((path) => labelsBeside(path) ?? [])])];
}

/** Lists the datasets of the stack. */
export async function listDatasets({ ports, print, result }: Io): Promise<number> {
  const names = await ports.store.folders(keys.datasets);
  const datasets: { dataset: string; files: number; sizeBytes: number }[] = [];
  for (const dataset of names) {
    const objects = await ports.store.list(`${keys.datasets}${dataset}/`);
    const sizeBytes = objects.reduce((sum, object) => sum + object.sizeBytes, 0);
    datasets.push({ dataset, files: objects.length, sizeBytes });
  }
  result(datasets);
  if (datasets.length === 0)
    print('no datasets yet; put one: npx millrace dataset put <name> <files…>');
  else
    print(
      formatTable([
        ['dataset', 'files', 'MiB'],
        ...datasets.map(({ dataset, files, sizeBytes }) => [
          dataset,
          formatCount(files),
          (sizeBytes / 1_048_576).toFixed(1),
        ]),
      ]),
    );
  return 0;
}

/** Says what a job would refuse of a dataset, and why; the answer is 1 if it would fail. */
export async function check(
  { ports, print, result, progress }: Io,
  name: string,
  { model, files: named }: { readonly model: string; readonly files: string | undefined },
): Promise<number> {
  const dataset = parse(datasetName, name, 'dataset');
  const spec = await specOf({ ports }, model);
  const step = progress?.bar('reading', Number.POSITIVE_INFINITY, 'rows');
  const checked = await checkDataset(ports, spec, { dataset, files: named }, (rows) =>
    step?.update(rows),
  ).finally(() => step?.finish());
  result(checked);
  const { files, rows, refusedRows, refused, unknown, absent, failure } = checked;
  for (const line of absentLines(spec, absent)) print(line);
  const kinds = Map.groupBy(
    refused,
    ({ field, reason }) => `${fieldInFile(spec, field)}: ${reason}`,
  );
  const shown = [...kinds].slice(0, 10);
  let told = 0;
  for (const [what, [first, ...others]] of shown) {
    const again = others.length === 0 ? '' : `; ${count(others.length, 'row')} more like it`;
    print(`  ${first?.file}, line ${first?.line}, ${what}${again}`);
    told += 1 + others.length;
  }
  if (refusedRows > told) print(`  … and ${formatCount(refusedRows - told)} more`);
  for (const [feature, values] of Object.entries(unknown))
    print(`  ${feature}: ${count(values, 'value')} that the spec does not list`);
  print(
    `${dataset}: ${count(files, 'file')}, ${count(rows, 'row')}, ${formatCount(refusedRows)} refused`,
  );
  print(failure === undefined ? 'a job would train on it' : `a job would fail: ${failure}`);
  return failure === undefined ? 0 : 1;
}

/** What a job is started with. */
export type TrainOptions = {
  readonly job?: string | undefined;
  readonly files?: string | undefined;
  readonly fresh?: boolean | undefined;
  readonly watch?: boolean | undefined;
};

/** Sends a batch job; with `watch` it shows it to its end, and the answer is 1 if it failed. */
export async function train(
  io: Io,
  { model, dataset }: { readonly model: string; readonly dataset: string },
  { job: given, files, fresh = false, watch = false }: TrainOptions,
): Promise<number> {
  const { ports, print, result } = io;
  const spec = await specOf(io, model);
  const start = fresh ? 'fresh' : 'champion';
  const job = await startJob(ports, { model, dataset, files, job: given, start });
  print(`${model}: job ${job} is sent${watch ? '' : `; see: npx millrace jobs ${model}`}`);
  if (!watch) {
    result({ model, job });
    return 0;
  }
  return watchToEnd(io, spec, job);
}

async function watchToEnd(io: Io, { model, batch }: Spec, job: string): Promise<number> {
  const { ports, print, result } = io;
  const watched = { model, job, epochs: batch.epochs, title: 'training' };
  const stop = new AbortController();
  process.once('SIGINT', () => stop.abort());
  // Where the output is no terminal, a line every few seconds says how far it is.
  const progress = io.progress ?? createProgress(process.stderr, ports.now);
  try {
    await watchJob(ports.store, progress, watched, stop.signal);
  } catch (error) {
    if (!(error instanceof Error) || error.name !== 'AbortError') throw error;
    result({ model, job });
    print(`${model}: job ${job} goes on; see: npx millrace jobs ${model}`);
    return 130;
  }
  const jobs = await describeJobs(ports, model);
  const ended = jobs.find((each) => each.job === job);
  result(ended ?? { model, job });
  if (ended === undefined) return 1;
  for (const line of jobLines([ended])) print(line);
  return ended.status === 'failed' ? 1 : 0;
}

/** Lists the batch jobs of a model. */
export async function listJobs(io: Io, model: string): Promise<number> {
  const { ports, print, result } = io;
  await specOf(io, model);
  const jobs = await describeJobs(ports, model);
  result(jobs);
  if (jobs.length === 0)
    print(`${model}: no jobs yet; start one: npx millrace train ${model} <dataset>`);
  else for (const line of jobLines(jobs)) print(line);
  return 0;
}
