import { existsSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { styleText } from 'node:util';
import { keys } from '../../lib/bucket/keys.ts';
import { readArguments } from '../../lib/cli/arguments.ts';
import { createProgress, formatCount, formatSeconds, formatTable } from '../../lib/cli/progress.ts';
import { MillraceError } from '../../lib/errors.ts';
import {
  type FlightsResult,
  januaryObjects,
  runFlights,
} from '../../lib/examples/flights/main-job.ts';
import { flightsSpec } from '../../lib/examples/flights/spec.ts';
import { removeModel } from '../../lib/operations/remove-model.ts';
import type { Ports } from '../../lib/ports/ports.ts';
import { queueDepths } from '../../lib/ports/queue-depths.ts';
import { s3Remover } from '../../lib/ports/s3.ts';
import { type LocalCloud, startLocalCloud } from './cloud.ts';
import { localPorts } from './ports.ts';
import { projectDirectory, synthesize } from './synthesize.ts';

const usage = `npm start -- [options]

The main job on this machine: trains the flights model on January in batch slices, then streams the
following months through the queue, and compares the frozen model with the online one.

  --months <1–5>    months to stream, from February on (default 1)
  --limit <count>   use only so many flights of each month, at least 1000 (a run of its own)
  --picture <file>  draw both models' log loss, day by day, as an SVG
  --fresh           start over: remove the model flights and all that it has learnt
  --json            print the result as one JSON object, as the last line
  --help            show this
`;

type Options = {
  readonly months: number;
  readonly limit: number;
  readonly picture: string | undefined;
  readonly isFresh: boolean;
  readonly isJson: boolean;
};

function parseOptions(): Options {
  const { values } = readArguments(usage, {
    options: {
      months: { type: 'string', default: '1' },
      limit: { type: 'string', default: 'Infinity' },
      picture: { type: 'string' },
      fresh: { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) {
    process.stdout.write(usage);
    process.exit(0);
  }
  const months = Number(values.months);
  const limit = Number(values.limit);
  if (!(Number.isInteger(months) && months >= 1 && months <= 5)) {
    throw new MillraceError('invalid', `--months: must be 1 to 5 (found ${values.months})`);
  }
  if (!(limit >= 1_000 && (Number.isInteger(limit) || limit === Number.POSITIVE_INFINITY))) {
    throw new MillraceError(
      'invalid',
      `--limit: must be a whole number of at least 1000 (found ${values.limit})`,
    );
  }
  if (values.picture !== undefined && !existsSync(dirname(resolve(values.picture)))) {
    throw new MillraceError(
      'invalid',
      `--picture: there is no folder ${dirname(resolve(values.picture))}`,
    );
  }
  return { months, limit, picture: values.picture, isFresh: values.fresh, isJson: values.json };
}

async function main(): Promise<void> {
  const options = parseOptions();
  const output = options.isJson ? process.stderr : process.stdout;
  const progress = createProgress(output, Date.now);
  // That of `npm run local`: what it prints can be tried there.
  const isWhole = !Number.isFinite(options.limit);
  const directory = isWhole ? 'local' : `flights-${options.limit}`;
  const dataDirectory = join(projectDirectory, '.millrace', directory);
  if (options.isFresh && !isWhole) rmSync(dataDirectory, { recursive: true, force: true });
  const interrupt = new AbortController();
  process.on('SIGINT', () => {
    if (interrupt.signal.aborted) process.exit(130);
    output.write(
      '\nStopping cleanly; the next start goes on from here. (Ctrl-C again to stop at once.)\n',
    );
    interrupt.abort();
  });

  output.write(
    `\n${styleText('bold', 'Millrace', { stream: output })}: ` +
      'push samples to a queue; get a model that is always current\n\n',
  );
  const started = Date.now();
  let cloud: LocalCloud | undefined;
  try {
    const assembly = join(projectDirectory, 'cdk.out');
    const isFirst = options.isFresh || !existsSync(dataDirectory);
    const made = isFirst ? januaryObjects(options.limit) : undefined;
    // Meanwhile; what goes wrong with it is told where it is awaited.
    made?.catch(() => undefined);
    await synthesize(assembly);
    progress.step(`stack synthesized (${formatSeconds((Date.now() - started) / 1_000)})`);
    cloud = await startLocalCloud(assembly, dataDirectory);
    progress.step(
      `local cloud on ${cloud.endpoint}, data in ${relative(process.cwd(), dataDirectory)}`,
    );
    const ports = localPorts(cloud);
    if (options.isFresh && isWhole) await forget(cloud, ports, flightsSpec.model);
    const { result, draw } = await runFlights(ports, progress, {
      ...options,
      january: () => made ?? januaryObjects(options.limit),
      signal: interrupt.signal,
    });
    output.write(report(result, cloud, options, (Date.now() - started) / 1_000));
    if (options.picture !== undefined) writeFileSync(options.picture, await draw());
    if (options.isJson) process.stdout.write(`${JSON.stringify(result)}\n`);
  } catch (error) {
    if (!interrupt.signal.aborted) throw error;
    process.exitCode = 130;
  } finally {
    await cloud?.stop();
  }
}

/** Removes a model, if it is there; the others stay. */
async function forget(
  { s3, sqs, address }: LocalCloud,
  ports: Ports,
  model: string,
): Promise<void> {
  if ((await ports.store.list(keys.model(model))).length === 0) return;
  for (let attempt = 0; attempt < drainAttempts; attempt++) {
    const depths = await queueDepths(sqs, address);
    if (depths.every(({ waiting, inFlight }) => waiting + inFlight === 0)) break;
    await delay(drainMilliseconds);
  }
  await removeModel(ports, s3Remover(s3, address.bucket), model);
}

/** How long a run that was killed has to learn what it had sent: it would be the new one's. */
const drainAttempts = 100;
const drainMilliseconds = 100;

function report(
  result: FlightsResult,
  cloud: LocalCloud,
  options: Options,
  seconds: number,
): string {
  const { frozen, online } = result;
  const scores = formatTable([
    ['', 'frozen after January', 'online'],
    ['AUC', frozen.auc.toFixed(4), online.auc.toFixed(4)],
    ['log loss', frozen.logLoss.toFixed(4), online.logLoss.toFixed(4)],
  ]);
  const facts = formatTable([
    ['samples predicted, then learnt', formatCount(result.samples)],
    [
      'samples per second, end to end',
      result.samplesPerSecond > 0 ? formatCount(result.samplesPerSecond) : 'nothing was left',
    ],
    ['batch slices', formatCount(result.slices)],
    ['journal entries', formatCount(result.entries)],
    ['deliveries tried again', formatCount(cloud.failedDeliveries())],
    ['messages in quarantine', formatCount(result.quarantined)],
    ['time in all', formatSeconds(seconds)],
  ]);
  const next =
    options.months < 5
      ? 'npm start -- --months 5   streams on to June'
      : 'npm start -- --fresh      does it all again';
  const look = Number.isFinite(options.limit)
    ? ''
    : `
              npm run local             runs its stack; then, in another terminal,
              npx millrace show flights`;
  return `\n${scores}\n\n${facts}\n
  The model:  s3://${cloud.address.bucket}/models/flights/state.safetensors
  Try next:   ${next}${look}\n\n`;
}

main().catch((error: unknown) => {
  const isExplained = error instanceof MillraceError;
  console.error(isExplained ? `\n${error.message}` : error);
  process.exitCode = 1;
});
