import { type ChildProcess, fork } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import { readArguments, stopFor, wholeNumber } from '../../lib/cli/arguments.ts';
import { type FaultKind, faultKinds, type Strike } from './faults.ts';
import { type Outcome, runSchedule, type ScheduleOptions } from './schedule.ts';
import { shrink } from './shrink.ts';

const faultLines = Array.from(
  { length: Math.ceil(faultKinds.length / 5) },
  (_, line) => `                     ${faultKinds.slice(5 * line, 5 * line + 5).join(', ')}`,
).join('\n');
const usage = `npm run simulate -- [options]

Schedules of a cloud in which things go wrong, and what is wrong after them. A failing one is
shrunk to the fewest faults.

  --seeds <count>    how many schedules (default 10000)
  --from <seed>      the seed of the first (default 1)
  --faults <a>,<b>   only these, of
${faultLines}
  --replay <seed>    show one schedule, event by event
  --kept <a>@<n>,…   with only these of its strikes, as the line of a failure names them
  --first-failure    stop at the first that fails
  --processes <n>    how many run them, side by side (default: one for each processor)
  --help             show this
`;

const { values: given } = readArguments(usage, {
  options: {
    help: { type: 'boolean', default: false },
    seeds: { type: 'string', default: '10000' },
    from: { type: 'string', default: '1' },
    faults: { type: 'string' },
    replay: { type: 'string' },
    kept: { type: 'string' },
    'first-failure': { type: 'boolean', default: false },
    processes: { type: 'string', default: String(availableParallelism()) },
  },
});

/** What a worker is asked, and what it answers. */
type Part = { readonly seeds: readonly number[] };
type Sums = Pick<Outcome, 'lost' | 'doubled' | 'outOfOrder'> & {
  readonly schedules: number;
  readonly faults: number;
  readonly failures: number;
};

const nothing: Sums = { schedules: 0, faults: 0, failures: 0, lost: 0, doubled: 0, outOfOrder: 0 };

const scheduleOptions: ScheduleOptions = {
  ...(given.faults === undefined ? {} : { kinds: new Set(given.faults.split(',').map(faultKind)) }),
  ...(given.kept === undefined ? {} : { kept: given.kept.split(',').flatMap(strike) }),
};

/** Reads what {@link keptStrikes} writes. */
function strike(text: string): Strike[] {
  if (text === 'none') return [];
  const [kind = '', chance = ''] = text.split('@');
  return [{ kind: faultKind(kind), chance: wholeNumber('--kept', chance, 0) }];
}

function keptStrikes(strikes: readonly Strike[]): string {
  return strikes.length === 0
    ? 'none'
    : strikes.map(({ kind, chance }) => `${kind}@${chance}`).join();
}

function faultKind(name: string): FaultKind {
  const kind = faultKinds.find((each) => each === name);
  if (kind === undefined)
    return stopFor(
      `no fault is called ${JSON.stringify(name)}; there are ${faultKinds.join(', ')}`,
    );
  return kind;
}

/** Runs schedules, prints a line for each that fails, and sums up. */
async function runPart({ seeds }: Part): Promise<Sums> {
  let sums = nothing;
  for (const seed of seeds) {
    const outcome = await runSchedule(seed, scheduleOptions);
    const isFailure = outcome.violations.length > 0;
    sums = {
      schedules: sums.schedules + 1,
      faults: sums.faults + outcome.faults.length,
      failures: sums.failures + Number(isFailure),
      lost: sums.lost + outcome.lost,
      doubled: sums.doubled + outcome.doubled,
      outOfOrder: sums.outOfOrder + outcome.outOfOrder,
    };
    if (!isFailure) continue;
    if (given['first-failure']) {
      console.log(`seed ${seed}: ${outcome.violations.join('; ')}`);
      break;
    }
    const shortest = await shrink(outcome, scheduleOptions);
    const kinds = given.faults === undefined ? '' : ` --faults ${given.faults}`;
    const replay = `--replay ${seed}${kinds} --kept ${keptStrikes(shortest.faults)}`;
    console.log(`seed ${seed}: ${shortest.violations.join('; ')} (${replay})`);
  }
  return sums;
}

/** Deals the seeds out to processes; a single one is this. */
async function runAll(first: number, count: number): Promise<Sums> {
  const workers = Math.min(wholeNumber('--processes', given.processes, 1), count);
  const all = Array.from({ length: count }, (_seed, i) => first + i);
  if (workers === 1) return runPart({ seeds: all });
  const parts = Array.from({ length: workers }, (_, worker) =>
    all.filter((seed) => seed % workers === worker),
  );
  const children: ChildProcess[] = [];
  const answers = await Promise.all(
    parts.map(
      (seeds) =>
        new Promise<Sums>((resolve, reject) => {
          const child = fork(fileURLToPath(import.meta.url), process.argv.slice(2), {
            env: { ...process.env, SIMULATION_WORKER: '1' },
            // Schedules leave much behind them at once; the collector need not follow each.
            execArgv: [...process.execArgv, '--max-semi-space-size=64'],
          });
          children.push(child);
          let sums = nothing;
          child.on('message', (answer: Sums) => {
            sums = answer;
            // The others need not find one of their own.
            if (given['first-failure'] && sums.failures > 0)
              for (const each of children) if (each !== child) each.kill();
          });
          // (What nobody catches ends a worker behind its last schedule: time passes in one turn.)
          child.on('exit', (code, signal) => {
            if (code === 0 || signal === 'SIGTERM') resolve(sums);
            else reject(new Error(`a worker ended with ${code ?? signal}`));
          });
          child.send({ seeds } satisfies Part);
        }),
    ),
  );
  return answers.reduce((a, b) => ({
    schedules: a.schedules + b.schedules,
    faults: a.faults + b.faults,
    failures: a.failures + b.failures,
    lost: a.lost + b.lost,
    doubled: a.doubled + b.doubled,
    outOfOrder: a.outOfOrder + b.outOfOrder,
  }));
}

if (process.env.SIMULATION_WORKER !== undefined) {
  process.once('message', async (part: Part) => {
    process.send?.(await runPart(part));
    process.disconnect();
  });
} else if (given.help) {
  process.stdout.write(usage);
} else if (given.replay !== undefined) {
  const outcome = await runSchedule(wholeNumber('--replay', given.replay, 0), {
    ...scheduleOptions,
    keepsEvents: true,
  });
  console.log(outcome.events.join('\n'));
  console.log(`${outcome.hash} · ${outcome.violations.join('; ') || 'all promises kept'}`);
} else {
  const sums = await runAll(
    wholeNumber('--from', given.from, 0),
    wholeNumber('--seeds', given.seeds, 1),
  );
  const number = (value: number) => value.toLocaleString('en');
  console.log(
    `${number(sums.schedules)} schedules, ${number(sums.faults)} faults injected, ` +
      `${sums.lost} lost, ${sums.doubled} doubled, ${sums.outOfOrder} out of order`,
  );
  process.exitCode = sums.failures === 0 ? 0 : 1;
}
