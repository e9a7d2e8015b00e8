import { keys } from '../bucket/keys.ts';
import { eachInOrder } from '../in-order.ts';
import { isLabelled, learntLabels } from '../journal/asked.ts';
import { keysOfDue, readDue } from '../journal/due.ts';
import { limits } from '../limits.ts';
import { deduplicationId } from '../ports/deduplication.ts';
import type { Ports } from '../ports/ports.ts';
import { isModelName } from '../spec/names.ts';

/** Default labels that were sent to a model. */
export type SentDefaults = { readonly model: string; readonly labels: number };

/** Removes an object. */
type Remove = (key: string) => Promise<void>;

/**
 * Sends the default labels of questions whose time is up and that nobody has labelled, to their
 * models' groups of the samples queue. Whether one is still needed is decided there: if its label
 * has come meanwhile, it is passed over. What was sent is removed after; whoever breaks off between
 * the two sends it again, and that is passed over too. A model whose defaults cannot be sent holds
 * up no others.
 *
 * @param remove deletes an object
 * @param onSent told of each model's
 * @throws the first error of a model, after the others had their turn
 */
export async function sendDefaults(
  ports: Ports,
  remove: Remove,
  secondsLeft: () => number,
  onSent: (sent: SentDefaults) => void = () => undefined,
): Promise<void> {
  const models = (await ports.store.folders(keys.dueModels)).filter(isModelName);
  const errors: unknown[] = [];
  for (const [place, model] of models.entries()) {
    const share = secondsLeft() / (models.length - place);
    const until = secondsLeft() - share + limits.answerReserveSeconds;
    const shouldStop = () => secondsLeft() < until;
    const labels = await sendDefaultsOf(ports, model, remove, shouldStop).catch((error) => {
      ports.log.error('defaults not sent', { model, error });
      errors.push(error);
      return 0;
    });
    if (labels > 0) onSent({ model, labels });
  }
  if (errors.length > 0) throw errors[0];
}

async function sendDefaultsOf(
  ports: Ports,
  model: string,
  remove: Remove,
  shouldStop: () => boolean,
): Promise<number> {
  // Of one that was removed nobody can learn them; they would wait for the next of its name.
  const exists = (await ports.store.get(keys.spec(model))) !== undefined;
  const batch = emptyBatch();
  const sent = new Set<string>();
  const flush = async () => {
    const labels = [...batch.labels.values()];
    for (const id of batch.labels.keys()) sent.add(id);
    const done = [...batch.done];
    Object.assign(batch, emptyBatch());
    if (exists && labels.length > 0) {
      const body = `{"labels":[${labels.join(',')}]}`;
      const deduplication = deduplicationId(model, 'defaults', ports.nonce());
      await ports.sendSamples({ body, group: model, deduplication });
    }
    for await (const _ of eachInOrder(limits.readsAtOnce, done, remove));
  };
  for await (const due of openDue(ports, model)) {
    if (!fits(batch, due)) await flush();
    // A question that was asked twice is due twice.
    for (const [id, label] of due.labels) if (!sent.has(id)) batch.labels.set(id, label);
    batch.bytes += due.bytes;
    batch.done.push(due.key);
    // What needs no message is done at once.
    if (batch.labels.size === 0 && batch.done.length >= limits.readsAtOnce) await flush();
    if (shouldStop()) break;
  }
  await flush();
  return exists ? sent.size : 0;
}

/** Labels of a message, each as JSON; the bytes that they bring; objects that are done with it. */
type Batch = { labels: Map<string, string>; bytes: number; done: string[] };

function emptyBatch(): Batch {
  return { labels: new Map(), bytes: 0, done: [] };
}

function fits(batch: Batch, { labels, bytes }: OpenDue): boolean {
  if (batch.labels.size + labels.length > limits.defaultsAtOnce) return false;
  const texts = [...batch.labels.values(), ...labels.map(([, text]) => text)];
  const ofMessage = texts.reduce((sum, text) => sum + Buffer.byteLength(text) + 1, 0);
  return ofMessage <= limits.defaultsBytes && batch.bytes + bytes <= limits.lateBytes;
}

/** What is due by an object, without what has its label: each id with its label as JSON. */
type OpenDue = {
  readonly key: string;
  readonly labels: readonly (readonly [string, string])[];
  readonly bytes: number;
};

async function* openDue(
  { store, now, log }: Pick<Ports, 'store' | 'now' | 'log'>,
  model: string,
): AsyncGenerator<OpenDue, void, void> {
  const learnt = learntLabels(store, model);
  const read = async (key: string): Promise<OpenDue> => {
    const due = await readDue(store, key);
    if (due === undefined) log.warn('what is due is gone or damaged, and nobody knows it', { key });
    const { ids = [], label, bytes = 0 } = due ?? {};
    const labels: [string, string][] = [];
    for (const id of ids)
      if (!(await isLabelled(store, model, id, learnt)))
        labels.push([id, JSON.stringify({ id, label, default: true })]);
    return { key, labels, bytes: labels.length === 0 ? 0 : bytes };
  };
  for await (const hour of keysOfDue(store, model, now()))
    for await (const [, due] of eachInOrder(limits.readsAtOnce, hour, read)) yield due;
}
