import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { startLocalCloud } from '../../infra/local/cloud.ts';
import { localPorts } from '../../infra/local/ports.ts';
import { synthesize } from '../../infra/local/synthesize.ts';
import { readArguments, stopFor, wholeNumber } from '../../lib/cli/arguments.ts';
import type { Io } from '../../lib/cli/io.ts';
import { createProgress } from '../../lib/cli/progress.ts';
import { redrive } from '../../lib/cli/redrive.ts';
import { retract } from '../../lib/cli/retract.ts';
import { rollback } from '../../lib/cli/rollback.ts';
import { MillraceError } from '../../lib/errors.ts';
import { currentState } from '../../lib/fold/fold.ts';
import { existingEntry } from '../../lib/journal/reading.ts';
import { createModel } from '../../lib/model/create-model.ts';
import { existingModel } from '../../lib/model/model.ts';
import { isCommandSender } from '../../lib/ports/address.ts';
import { type DeadLetter, deadLettersOf } from '../../lib/ports/dead-letters.ts';
import { defineSpec } from '../../lib/spec/spec.ts';
import { createRandom } from '../simulation/random.ts';
import { ticket, ticketsSpec } from '../support/world.ts';
import { compareModel, type Sent, statusOf } from './chaos-check.ts';

/**
 * `npm run chaos -- --minutes 2`: streams samples to three models in the local cloud, starts batch
 * jobs on one of them, and rolls back and retracts on another, while its functions are killed and
 * frozen (and go on later, as zombies), messages are sent twice, and the cloud is restarted from
 * its data. At the end what was learnt is held against what was sent, each journal is folded again,
 * and the messages are learnt once more with nothing in the way.
 */
const { values } = readArguments('npm run chaos -- [--minutes <number>] [--seed <number>]', {
  options: { minutes: { type: 'string', default: '2' }, seed: { type: 'string', default: '1' } },
});
const minutes = Number(values.minutes);
if (!(minutes > 0)) stopFor(`--minutes: must be a number above 0 (found ${values.minutes})`);
const count = (number: number) => number.toLocaleString('en');
const random = createRandom(wholeNumber('--seed', values.seed, 0), 1);
const streamed = ticketsSpec;
const trained = defineSpec({
  ...ticketsSpec,
  model: 'trained',
  batch: { ...ticketsSpec.batch, slice: { epochs: 1 } },
});
const mended = { ...ticketsSpec, model: 'mended' };
const producers: readonly (readonly [model: string, producer: string])[] = [
  [streamed.model, 'till-1'],
  [streamed.model, 'till-2'],
  [streamed.model, 'till-3'],
  [trained.model, 'till-4'],
  [mended.model, 'till-5'],
];
const secondsOfSending = minutes * 60;

const directory = mkdtempSync(join(tmpdir(), 'millrace-chaos-'));
const assembly = join(directory, 'assembly');
const progress = createProgress(process.stderr, Date.now);
await synthesize(assembly);
/** Messages of a killed invocation come back after seconds instead of minutes. */
const visibilityFactor = 1 / 180;
let cloud = await startLocalCloud(assembly, join(directory, 'data'), { visibilityFactor });
let ports = localPorts(cloud);
let restarting: Promise<void> = Promise.resolve();
for (const spec of [streamed, trained, mended]) await createModel(ports, spec);

const deadLetters = new Set<string>();
const faults = { kills: 0, freezes: 0, restarts: 0, duplicates: 0 };
const sent: Record<string, Sent> = Object.fromEntries(
  [streamed, trained, mended].map(({ model }) => [
    model,
    { messages: new Map(), samples: 0, jobs: [] },
  ]),
);
const ends = Date.now() + secondsOfSending * 1_000;
const isOver = () => Date.now() >= ends;
const bar = progress.bar('chaos', secondsOfSending, 's');

await Promise.all([disturb(), ...producers.map(produce), startJobs(), mend(), show()]);
bar.finish();
await restarting;
progress.step('the faults are over; what is in the queues is being learnt');
await untilQuiet();
progress.step('nothing changes any more; comparing with the same messages, learnt undisturbed');
const results = await Promise.all(
  Object.entries(sent).map(([model, what]) => compareModel(ports, model, what, deadLetters)),
);
await cloud.stop();
rmSync(directory, { recursive: true, force: true });

const total = (of: (result: (typeof results)[number]) => number) =>
  results.reduce((sum, result) => sum + of(result), 0);
const problems = results.flatMap((result) => result.problems);
const [lost, doubled, outOfOrder] = [
  total((result) => result.lost),
  total((result) => result.doubled),
  total((result) => result.outOfOrder),
];
for (const problem of problems) console.log(problem);
console.log(
  `${count(total(({ messages }) => messages))} messages of ${count(samplesSent())} samples, ` +
    `${total(({ jobs }) => jobs)} batch jobs (${total(({ promotions }) => promotions)} promoted), ` +
    `${count(deadLetters.size)} dead letters, ` +
    `${total(({ rollbacks }) => rollbacks)} rollbacks, ${total(({ retractions }) => retractions)} retractions, ` +
    `${count(faultsInjected())} faults injected (${faults.kills} kills, ${faults.freezes} freezes, ` +
    `${faults.restarts} restarts, ${faults.duplicates} duplicates), ` +
    `${lost} lost, ${doubled} doubled, ${outOfOrder} out of order`,
);
process.exitCode = problems.length === 0 && lost + doubled + outOfOrder === 0 ? 0 : 1;

/** Kills, freezes and restarts at random, until the time is over. */
async function disturb(): Promise<void> {
  while (!isOver()) {
    await delay(random.integer(200, 1_500));
    const host = cloud.functions.get(random.chance(0.7) ? 'online-update' : 'batch-train');
    if (host === undefined || !host.isRunning()) continue;
    const choice = random.next();
    if (choice < 0.5) {
      host.kill();
      faults.kills += 1;
    } else if (choice < 0.9) {
      const thaw = host.freeze();
      faults.freezes += 1;
      void delay(random.integer(500, 8_000)).then(thaw);
    } else {
      faults.restarts += 1;
      restarting = restart();
      await restarting;
    }
  }
}

/** Stops the machine, half of the time as a power cut would, and starts it again over its data. */
async function restart(): Promise<void> {
  await (random.chance(0.5) ? cloud.crash() : cloud.stop());
  cloud = await startLocalCloud(assembly, join(directory, 'data'), { visibilityFactor });
  ports = localPorts(cloud);
}

/** Sends numbered messages, one in ten a second time under another deduplication id. */
async function produce([model, producer]: (typeof producers)[number]): Promise<void> {
  const what = sentTo(model);
  for (let seq = 1; !isOver(); seq++) {
    const samples = Array.from({ length: 1 + (seq % 4) }, (_, i) => ticket(seq * 4 + i));
    const body = JSON.stringify({ producer, seq, samples });
    const isTwice = random.chance(0.1);
    const send = (deduplication: string) =>
      surely(() => ports.sendSamples({ body, group: model, deduplication }));
    await send(`${producer}:${seq}`);
    if (isTwice) await send(`${producer}:${seq}:again`);
    if (isTwice) faults.duplicates += 1;
    what.messages.set(producer, seq);
    what.samples += samples.length;
    await delay(random.integer(5, 60));
  }
}

/** Starts batch jobs over the journal as it is by then, some before the one before has ended. */
async function startJobs(): Promise<void> {
  const { model } = trained;
  const { jobs } = sentTo(model);
  while (!isOver()) {
    await delay(random.integer(3_000, 8_000));
    const job = `job-${jobs.length + 1}`;
    const body = JSON.stringify({ model, job, dataset: 'journal' });
    await surely(() => ports.sendJob({ body, group: model, deduplication: job }));
    jobs.push(job);
  }
}

/** Rolls back, and retracts a message or a sample, as a person would at the command line. */
async function mend(): Promise<void> {
  const { model } = mended;
  while (!isOver()) {
    await delay(random.integer(2_000, 6_000));
    const io = operator();
    try {
      const { sequence } = await currentState(ports, await existingModel(ports, model));
      // Nothing is learnt yet, so there is nothing to go back to.
      if (sequence === 0) continue;
      if (random.chance(0.4)) await rollback(io, model, String(sequence - random.integer(0, 20)));
      else {
        const { header } = await existingEntry(ports.store, model, random.integer(1, sequence));
        await retract(io, model, { message: header.messages[0]?.id });
      }
    } catch (error) {
      // The cloud is being restarted, nothing is learnt yet, or another command is in the way:
      // another time.
      if (!(error instanceof MillraceError) || error.kind === 'corrupt') throw error;
    }
  }
}

/** A command line that nobody watches, of somebody who is sure. */
function operator(): Io {
  return { ports, print: () => undefined, result: () => undefined, mayChange: async () => true };
}

/** As a producer should: again, until it is answered. */
async function surely(send: () => Promise<void>): Promise<void> {
  for (;;) {
    try {
      return await send();
    } catch (error) {
      if (!(error instanceof MillraceError)) throw error;
      await delay(100);
    }
  }
}

async function show(): Promise<void> {
  while (!isOver()) {
    bar.update(secondsOfSending - (ends - Date.now()) / 1_000, {
      samples: count(samplesSent()),
      faults: count(faultsInjected()),
    });
    await delay(250);
  }
}

/**
 * Waits until all is learnt and every job has ended, or nothing changes; moves dead letters back
 * meanwhile.
 */
async function untilQuiet(): Promise<void> {
  let before = '';
  // A slice that was killed last comes back after half a minute.
  const [quietWhenDone, quietOtherwise] = [3, 15];
  for (let quiet = 0, needed = quietOtherwise; quiet < needed; ) {
    await noteDeadLetters();
    await redrive(operator(), cloud.sqs, cloud.address, {
      mayCommand: isCommandSender(cloud.environment),
    });
    const states = await Promise.all(
      Object.entries(sent).map(([model, what]) => statusOf(ports, model, what)),
    );
    const isDone = states.every((state) => state.isDone);
    const now = JSON.stringify(states);
    quiet = isDone || now === before ? quiet + 1 : 0;
    needed = isDone ? quietWhenDone : quietOtherwise;
    before = now;
    await delay(isDone ? 100 : 3_000);
  }
}

/**
 * A message that is killed or frozen eight times in a row is a dead letter; a frozen process may
 * still learn it.
 */
async function noteDeadLetters(): Promise<void> {
  const letters = await deadLettersOf(cloud.sqs, cloud.address.samplesQueueUrl);
  const seen: DeadLetter[] = [];
  for (let batch = await letters.receive(); batch.length > 0; batch = await letters.receive())
    seen.push(...batch);
  for (const letter of seen) {
    deadLetters.add(letter.id);
    await letters.release(letter);
  }
}

function sentTo(model: string): Sent {
  const what = sent[model];
  if (what === undefined) throw new Error(`nothing is sent to ${model}`);
  return what;
}

function samplesSent(): number {
  return Object.values(sent).reduce((sum, { samples }) => sum + samples, 0);
}

function faultsInjected(): number {
  return Object.values(faults).reduce((sum, each) => sum + each, 0);
}
