import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setInterval } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { DeleteObjectCommand } from '@aws-sdk/client-s3';
import { parquetWriteBuffer } from 'hyparquet-writer';
import { localAssembly } from '../../infra/local/assembly.ts';
import { type LocalCloud, startLocalCloud } from '../../infra/local/cloud.ts';
import { localPorts } from '../../infra/local/ports.ts';
import { keys } from '../../lib/bucket/keys.ts';
import { digestOf } from '../../lib/bucket/safetensors.ts';
import { markedParts } from '../../lib/datasets/parts.ts';
import { hashIntegers } from '../../lib/features/hash.ts';
import { type JobProgress, readProgress } from '../../lib/jobs/progress.ts';
import { createModel } from '../../lib/model/create-model.ts';
import type { Ports } from '../../lib/ports/ports.ts';
import { defineSpec } from '../../lib/spec/spec.ts';

/**
 * A job over a large dataset on the local cloud: `node test/bench/large.ts --gigabytes 20 --format
 * csv`. Its parts are prepared by the state machine, in functions that may take no more memory than
 * on AWS; one of them is killed every few seconds. Then all that was prepared is thrown away, and
 * another job prepares it undisturbed: the bytes must be the same.
 */
const { values: options } = parseArgs({
  options: {
    gigabytes: { type: 'string', default: '1' },
    format: { type: 'string', default: 'csv' },
    'kill-seconds': { type: 'string', default: '20' },
  },
});
const gigabytes = Number(options.gigabytes);
const fileRows = 200_000;
/** Most of a wide table is read for one column or none. */
const filler = 'Lorem ipsum dolor sit amet; '.repeat(25);

const spec = defineSpec({
  model: 'large',
  task: 'binary',
  features: {
    ...Object.fromEntries(Array.from({ length: 6 }, (_, i) => [`x${i}`, { type: 'number' }])),
    kind: { type: 'category', buckets: 1_000, dimensions: 4 },
  },
  network: { hidden: [16] },
  optimizer: { type: 'adam', rate: 0.001 },
  batch: { epochs: 1, minibatch: 1_024, validation: 0.01 },
});

/** The rows of a file: a label that follows from some of what they say. */
function rowsOf(file: number) {
  return Array.from({ length: fileRows }, (_, i) => {
    const random = (column: number) => hashIntegers(file, i, column) / 2 ** 32;
    const x = Array.from({ length: 6 }, (__, column) => random(column) * 2 - 1);
    const kind = `kind ${hashIntegers(file, i, 7) % 5_000}`;
    const label = (x[0] ?? 0) + (x[1] ?? 0) * (x[2] ?? 0) + random(8) - 0.5 > 0;
    const note = `a note of row ${i} of file ${file}, "read by nobody": ${filler.slice(i % 100)}`;
    return { x, kind, label, note };
  });
}

const columns = ['x0', 'x1', 'x2', 'x3', 'x4', 'x5'] as const;

const writers: Readonly<Record<string, (rows: ReturnType<typeof rowsOf>) => Uint8Array>> = {
  csv(rows) {
    const cell = (text: string) => `"${text.replaceAll('"', '""')}"`;
    const line = ({ x, kind, label, note }: (typeof rows)[number], i: number) =>
      // Now and then a cell of two lines: some cuts lie within a row.
      [
        ...x,
        kind,
        label,
        i % 50 === 0 ? cell(`${note}\n`) : note.replaceAll('"', "'").replace(',', ' '),
      ].join();
    return Buffer.from(
      [[...columns, 'kind', 'label', 'note'].join(), ...rows.map(line), ''].join('\n'),
    );
  },
  parquet(rows) {
    const columnData = [
      ...columns.map((name, column) => ({ name, data: rows.map(({ x }) => x[column] ?? 0) })),
      { name: 'kind', data: rows.map(({ kind }) => kind) },
      { name: 'label', data: rows.map(({ label }) => label) },
      { name: 'note', data: rows.map(({ note }) => note) },
    ];
    return new Uint8Array(
      parquetWriteBuffer({ columnData, codec: 'UNCOMPRESSED', rowGroupSize: 50_000 }),
    );
  },
};

async function writeDataset(ports: Ports): Promise<number> {
  const write = writers[options.format];
  if (write === undefined) throw new Error(`--format must be ${Object.keys(writers).join(' or ')}`);
  let bytes = 0;
  for (let file = 0; bytes < gigabytes * 1e9; file++) {
    const body = write(rowsOf(file));
    const name = `${String(file).padStart(5, '0')}.${options.format}`;
    await ports.store.put(`${keys.dataset('large')}${name}`, body);
    bytes += body.length;
    tell(`writing: ${(bytes / 1e9).toFixed(1)} GB`);
  }
  return bytes;
}

/** Runs a job to its end. @returns how long its dataset took, and what it came to */
async function runJob(ports: Ports, job: string, disturb: () => void) {
  const started = performance.now();
  await ports.sendJob({
    group: spec.model,
    body: JSON.stringify({ model: spec.model, job, dataset: 'large', start: 'fresh' }),
    deduplication: job,
  });
  let preparedAfter = 0;
  let parts = 0;
  let lastDisturbed = performance.now();
  for await (const _ of setInterval(1_000)) {
    const progress = await readProgress(ports.store, spec.model, job);
    if (progress?.status === 'preparing') {
      parts = progress.parts?.all ?? parts;
      const done = progress.parts && (await markedParts(ports.store, progress.parts.plan)).size;
      tell(`${job}: ${done ?? 0} of ${parts} parts`);
      if (done === parts) preparedAfter ||= performance.now() - started;
      if (performance.now() - lastDisturbed > Number(options['kill-seconds']) * 1_000) {
        disturb();
        lastDisturbed = performance.now();
      }
    } else if (progress !== undefined) {
      preparedAfter ||= performance.now() - started;
      tell(`${job}: ${progress.status}, ${progress.rowsOfEpoch} of ${progress.rows} rows`);
      if (['promoted', 'kept-champion', 'failed'].includes(progress.status))
        return { progress, parts, preparedAfter, all: performance.now() - started };
    }
  }
  throw new Error('never');
}

function tell(line: string): void {
  process.stderr.write(`\r\x1b[K${line}`);
}

async function preparedOf(cloud: LocalCloud, ports: Ports, isRemoved: boolean) {
  const listed = await ports.store.list('prepared/');
  const manifests = listed.filter(({ key }) => key.endsWith('/manifest.safetensors'));
  const digests: string[] = [];
  for (const { key } of manifests)
    digests.push(digestOf((await ports.store.get(key))?.body ?? new Uint8Array()));
  if (isRemoved)
    for (const { key: Key } of listed)
      await cloud.s3.send(new DeleteObjectCommand({ Bucket: ports.store.bucket, Key }));
  return { digests, bytes: listed.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0) };
}

const folder = mkdtempSync(join(tmpdir(), 'millrace-large-'));
const problems: string[] = [];
const cloud = await startLocalCloud(await localAssembly(), folder, {
  onProblem: (problem) => void problems.push(problem),
});
try {
  const ports = localPorts(cloud);
  await createModel(ports, spec);
  const bytes = await writeDataset(ports);
  let kills = 0;
  const kill = () => {
    kills += 1;
    cloud.functions.get('prepare-part')?.kill();
  };
  const disturbed = await runJob(ports, 'disturbed', kill);
  const first = await preparedOf(cloud, ports, true);
  const undisturbed = await runJob(ports, 'undisturbed', () => undefined);
  const second = await preparedOf(cloud, ports, false);
  const line = (name: string, { progress, preparedAfter, all }: typeof disturbed) => {
    const { rows, status } = progress as JobProgress;
    const seconds = preparedAfter / 1_000;
    return (
      `${name}: prepared ${rows} rows in ${Math.round(seconds)} s ` +
      `(${(bytes / 1e6 / seconds).toFixed(0)} MB/s, ${Math.round(rows / seconds)} rows/s), ` +
      `${status} after ${Math.round(all / 1_000)} s\n`
    );
  };
  const tooMuch = problems.filter((problem) => problem.includes('MiB')).length;
  const isSame = JSON.stringify(first.digests) === JSON.stringify(second.digests);
  process.stdout.write(
    `\n${(bytes / 1e9).toFixed(1)} GB of ${options.format}, ${disturbed.parts} parts, ` +
      `${(first.bytes / 1e9).toFixed(1)} GB prepared\n` +
      line(`with ${kills} kills`, disturbed) +
      line('undisturbed', undisturbed) +
      `killed for their memory: ${tooMuch}; the same bytes: ${isSame}\n`,
  );
  if (!isSame || tooMuch > 0) process.exitCode = 1;
} finally {
  await cloud.stop();
  rmSync(folder, { recursive: true, force: true });
}
