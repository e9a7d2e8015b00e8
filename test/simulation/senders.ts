import type { Ports } from '../../lib/ports/ports.ts';
import { createProducer, numberedMessage } from '../../lib/ports/producer.ts';
import type { Question } from './askers.ts';
import type { Process } from './calls.ts';
import { type Expected, idOf } from './check.ts';
import type { Cloud } from './cloud.ts';
import { columnsOf, rowsOf } from './columns.ts';
import { startOperators } from './operators.ts';
import type { Random } from './random.ts';
import { pause, tryAgain } from './try-again.ts';

const second = 1_000;

/** To whom samples and jobs are sent, for how long, and what was asked beside them. */
export type Sending = {
  readonly models: readonly string[];
  readonly stormMilliseconds: number;
  readonly questions: readonly Question[];
};

/** Starts all that is sent, by producers, schedules and people. */
export function startSenders(
  cloud: Cloud,
  random: Random,
  { models, stormMilliseconds, questions }: Sending,
): Expected {
  const expected: Expected = {
    questions,
    samples: new Map(),
    refusable: new Set(),
    excused: new Set(),
    unanswered: new Set(),
    repeatable: new Set(),
    jobs: new Set(),
  };
  const { timeline } = cloud;
  const restarts: (() => void)[] = [];
  let ids = 0;
  for (const model of models) {
    const names = ['', 'till-1', 'till-2', 'till-3', 'till-4', 'till-5', 'till-6'].slice(
      0,
      random.pick([1, 2, 3, 3, 7]),
    );
    for (const name of names) {
      const messages = Array.from({ length: random.integer(1, 6) }, () =>
        Array.from({ length: random.integer(1, 3) }, () => sample(ids++, random, expected)),
      );
      // Its sender may go on from a copy of its disk: the last is under a number that was used.
      const forgets = name !== '' && messages.length > 1 && random.chance(0.15);
      const producer = { name, model, messages, forgets };
      const start = () => void produce(cloud, random, producer, expected);
      timeline.after(random.integer(0, 60 * second), start);
      if (name !== '') restarts.push(start);
    }
    for (const job of ['nightly', 'second'].slice(0, random.pick([0, 1, 1, 2]))) {
      const start = random.pick(['champion', 'fresh']);
      const dataset = random.pick(['journal', 'journal', 'past']);
      const body = JSON.stringify({ model, job, dataset, start });
      const begin = () => void sendJob(cloud, model, `${job}-${timeline.now()}`, body);
      expected.jobs.add(`${model}/${job}`);
      timeline.after(random.integer(5 * second, stormMilliseconds), begin);
      restarts.push(begin);
    }
  }
  const [model = ''] = models;
  const restart = () => {
    for (const each of restarts) timeline.after(random.integer(0, 10 * second), each);
  };
  startOperators(cloud, random, { model, stormMilliseconds, expected, restart });
  return expected;
}

/** A sample with a number of its own; one in ten cannot be learnt. */
function sample(id: number, random: Random, expected: Expected): unknown {
  const isValid = random.chance(0.9);
  const label = isValid ? { label: id % 7 } : {};
  const sent = {
    features: { id, kind: random.pick(['a', 'b', 'c']) },
    ...label,
    weight: 1 + (id % 2),
  };
  if (isValid) expected.samples.set(id, JSON.stringify(sent));
  else expected.refusable.add(id);
  return sent;
}

type Messages = {
  readonly name: string;
  readonly model: string;
  readonly messages: readonly unknown[][];
  /** Whether the last of them comes under the number of the one before. */
  readonly forgets: boolean;
};

/**
 * Sends messages one after the other, again until the queue has answered. Without a name they have
 * no numbers.
 */
async function produce(
  cloud: Cloud,
  random: Random,
  { name, model, messages, forgets }: Messages,
  expected: Expected,
): Promise<void> {
  const { timeline } = cloud;
  const process: Process = { name: name || 'anonymous', isDead: false, onDeath: () => restart() };
  const ports = cloud.portsOf(process);
  let sent = 0;
  const restart = () => {
    process.isDead = false;
    timeline.after(random.integer(1, 20 * second), () => void sendRest());
  };
  const sendRest = async () => {
    for (; sent < messages.length; sent++) {
      await tryAgain(cloud, random, name !== '', () =>
        sendOne(ports, { name, model, messages, forgets }, sent, expected),
      );
      await pause(timeline, random.integer(1, 30 * second));
    }
  };
  await sendRest();
}

async function sendOne(
  ports: Ports,
  { name, model, messages, forgets }: Messages,
  place: number,
  { unanswered }: Expected,
) {
  const samples = messages[place] ?? [];
  // Every third message has its samples column by column.
  const columns = place % 3 === 1 ? columnsOf(samples) : undefined;
  if (name !== '') {
    const number = forgets && place === messages.length - 1 ? place : place + 1;
    const own = { model, name, seq: number };
    if (columns !== undefined) {
      const texts = rowsOf(columns).map((row) => JSON.stringify(row));
      const table = JSON.stringify(columns);
      return ports.sendSamples(numberedMessage(own, { texts, table }));
    }
    return createProducer(ports.sendSamples, model, name, number).send(samples);
  }
  const first = JSON.stringify(samples[0]);
  for (const each of samples) unanswered.add(idOf(each));
  await ports.sendSamples({
    body: JSON.stringify(columns === undefined ? { samples } : { columns }),
    group: model,
    deduplication: `once:${first}`,
  });
  for (const each of samples) unanswered.delete(idOf(each));
}

async function sendJob(
  cloud: Cloud,
  model: string,
  deduplication: string,
  body: string,
): Promise<void> {
  const process: Process = { name: 'scheduler', isDead: false, onDeath: () => void again() };
  const again = async () => {
    process.isDead = false;
    const { sendJob: send } = cloud.portsOf(process);
    await tryAgain(cloud, cloud.random, true, () => send({ body, group: model, deduplication }));
  };
  await again();
}
