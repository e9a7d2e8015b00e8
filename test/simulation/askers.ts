import { createEncoder } from '../../lib/features/encoder.ts';
import { sendDefaults } from '../../lib/online/send-defaults.ts';
import { keepQuestions } from '../../lib/serving/keep-questions.ts';
import type { Spec } from '../../lib/spec/spec.ts';
import { makeCall, type Process } from './calls.ts';
import type { Cloud } from './cloud.ts';
import { isExpected } from './functions.ts';
import type { Random } from './random.ts';
import { tryAgain } from './try-again.ts';

const second = 1_000;
const minute = 60 * second;

/** What somebody asked under an id, and the labels that were sent of it. */
export type Question = {
  readonly model: string;
  readonly id: string;
  readonly features: { readonly id: number; readonly kind: string };
  readonly labels: number[];
  /** Whether the queue was removed in which a label of it lay. */
  isExcused: boolean;
};

/** The label of what nobody labelled in time; numbers as texts are read as such. */
export const defaultLabel = '0';

/** Where the features of questions begin to be numbered: other samples have smaller numbers. */
const firstNumber = 100_000;

/** How questions are asked. */
export type Asking = {
  readonly spec: Spec;
  readonly models: readonly string[];
  readonly stormMilliseconds: number;
};

/**
 * Asks under ids in some schedules, sends labels of most of them, some twice or too late, and looks
 * again and again for those that did not come.
 */
export function startAskers(
  cloud: Cloud,
  random: Random,
  { spec, models, stormMilliseconds }: Asking,
): readonly Question[] {
  if (!random.chance(0.2)) return [];
  const { timeline } = cloud;
  const questions: Question[] = [];
  const requests = random.integer(1, 6);
  for (let request = 0; request < requests; request++) {
    const model = models[random.integer(0, models.length - 1)] ?? '';
    const asked = Array.from({ length: random.integer(1, 3) }, (_, i): Question => {
      const number = firstNumber + questions.length + i;
      const features = { id: number, kind: random.pick(['a', 'b', 'c']) };
      return { model, id: `question-${number}`, features, labels: [], isExcused: false };
    });
    questions.push(...asked);
    const hours = random.integer(1, 8) / 60;
    const labelWindow = { hours, default: defaultLabel };
    const waiting = { ...spec, online: { ...spec.online, labelWindow } };
    timeline.after(
      random.integer(0, stormMilliseconds),
      () => void ask(cloud, random, waiting, asked),
    );
  }
  const looks = Math.ceil((2 * stormMilliseconds) / (5 * minute)) + 4;
  for (let look = 1; look <= looks; look++) {
    const at = look * 5 * minute;
    timeline.after(at, () => void takeDefaults(cloud, 0));
    // An invocation that comes twice.
    if (random.chance(0.3))
      timeline.after(at + random.integer(0, 50), () => void takeDefaults(cloud, 0));
  }
  // Clocks may have jumped: the last look is a year later.
  timeline.after((looks + 30) * 5 * minute, () => void takeDefaults(cloud, 365 * 1_440 * minute));
  return questions;
}

/** Asks until it is answered, and sends labels later. */
async function ask(
  cloud: Cloud,
  random: Random,
  spec: Spec,
  questions: readonly Question[],
): Promise<void> {
  const { timeline } = cloud;
  const asker: Process = {
    name: 'asker',
    isDead: false,
    onDeath: () =>
      timeline.after(second, () => {
        asker.isDead = false;
        void askAll();
      }),
  };
  const [{ model } = { model: '' }] = questions;
  const asking = {
    name: model,
    encoder: createEncoder(spec),
    spec,
    specHash: 'simulated',
    sequence: 0,
    secondsLeft: () => Number.POSITIVE_INFINITY,
  };
  // Some labels are faster than their questions: they are refused until then.
  for (const question of questions)
    if (random.chance(0.3)) sendLabel(cloud, random, question, random.integer(1, 200));
  const samples = questions.map(({ id, features }) => ({ id, features }));
  const predictions = questions.map(() => ({ value: 0 }));
  const askAll = async () => {
    const answers = await tryAgain(cloud, random, true, () =>
      keepQuestions(cloud.portsOf(asker), asking, samples, predictions),
    );
    if (answers.some((answer) => 'refused' in answer))
      cloud.violations.push(`a question was refused: ${JSON.stringify(answers)}`);
    for (const question of questions) sendLabels(cloud, random, question);
  };
  await askAll();
}

/** Labels of a question: none, one, or several that say different things. */
function sendLabels(cloud: Cloud, random: Random, question: Question): void {
  for (let times = random.pick([0, 1, 1, 1, 2, 3]); times > 0; times--)
    sendLabel(cloud, random, question, random.integer(second, 15 * minute));
}

/** Sends a label of a question after some milliseconds. */
function sendLabel(cloud: Cloud, random: Random, question: Question, after: number): void {
  const { model, id, labels } = question;
  const label = random.integer(0, 6);
  const deduplication = `label-${id}-${labels.push(label)}`;
  const body = JSON.stringify({ labels: [{ id, label }] });
  const sender: Process = { name: 'labeller', isDead: false, onDeath: () => send() };
  const send = () => {
    sender.isDead = false;
    const { sendSamples } = cloud.portsOf(sender);
    void tryAgain(cloud, random, false, () => sendSamples({ body, group: model, deduplication }));
  };
  cloud.timeline.after(after, send);
}

/** The function `send-defaults`, once; what breaks off is done the next time. */
async function takeDefaults(cloud: Cloud, ahead: number): Promise<void> {
  const process: Process = { name: 'defaults', isDead: false, onDeath: () => undefined };
  const ports = cloud.portsOf(process);
  const remove = (key: string) =>
    makeCall(cloud, process, { what: `removes ${key}`, perform: () => cloud.bucket.remove(key) });
  const later = { ...ports, now: () => ports.now() + ahead };
  await sendDefaults(later, remove, () => 100).catch((error: unknown) => {
    if (!isExpected(error)) cloud.violations.push(`defaults: ${String(error)}`);
  });
}
