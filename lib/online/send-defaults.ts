import { keys } from '../bucket/keys.ts';
import { eachInOrder } from '../in-order.ts';
import { isLabelled, learntLabels } from '../journal/asked.ts';
import { type Due, keysOfDue, readDue } from '../journal/due.ts';
import { limits } from '../limits.ts';
import { deduplicationId } from '../ports/deduplication.ts';
import type { Ports } from '../ports/ports.ts';

/** Default labels that were sent to a model. */
export type SentDefaults = { readonly model: string; readonly labels: number };

/** Removes an object. */
type Remove = (key: string) => Promise<void>;

/**
 * Sends the default labels of questions whose time is up and that nobody has labelled, to their
 * models' groups of the samples queue. Whether one is still needed is decided there: if its label
 * has come meanwhile, it is passed over. What was sent is removed after; whoever breaks off between
 * the two sends it again, and that is passed over too.
 *
 * @throws MillraceError kind `unavailable` if S3 or SQS does not answer
 */
export async function sendDefaults(
  ports: Ports,
  remove: Remove,
  secondsLeft: () => number,
): Promise<readonly SentDefaults[]> {
  const models = await ports.store.folders(keys.dueModels);
  const sent: SentDefaults[] = [];
  for (const [place, model] of models.entries()) {
    // What waits for one model must not hold up the others.
    const share = secondsLeft() / (models.length - place);
    const until = secondsLeft() - share + limits.answerReserveSeconds;
    const labels = await sendDefaultsOf(ports, model, remove, () => secondsLeft() < until);
    if (labels > 0) sent.push({ model, labels });
  }
  return sent;
}

async function sendDefaultsOf(
  ports: Ports,
  model: string,
  remove: Remove,
  shouldStop: () => boolean,
): Promise<number> {
  // Of one that was removed nobody can learn them; they would wait for the next of its name.
  const exists = (await ports.store.get(keys.spec(model))) !== undefined;
  let sent = 0;
  for await (const { labels, done } of batchesOfDue(ports, model)) {
    if (exists && labels.length > 0) {
      const body = `{"labels":[${labels.join(',')}]}`;
      const deduplication = deduplicationId(model, 'defaults', ports.nonce());
      await ports.sendSamples({ body, group: model, deduplication });
      sent += labels.length;
    }
    for await (const _ of eachInOrder(limits.readsAtOnce, done, remove));
    if (shouldStop()) break;
  }
  return sent;
}

/** Default labels of a message, each as JSON, and the objects that are done once it is sent. */
type Batch = { readonly labels: readonly string[]; readonly done: readonly string[] };

async function* batchesOfDue(
  { store, now }: Pick<Ports, 'store' | 'now'>,
  model: string,
): AsyncGenerator<Batch, void, void> {
  const learnt = learntLabels(store, model);
  const read = async (key: string) => {
    const due = labelsOf(await readDue(store, key));
    const open: string[] = [];
    for (const label of due)
      if (!(await isLabelled(store, model, label.id, learnt))) open.push(JSON.stringify(label));
    return open;
  };
  let batch = emptyBatch();
  for await (const hour of keysOfDue(store, model, now())) {
    for await (const [key, labels] of eachInOrder(limits.readsAtOnce, hour, read)) {
      for (const label of labels) {
        const bytes = Buffer.byteLength(label) + 1;
        if (batch.bytes + bytes > limits.defaultsBytes || batch.labels.length >= mostLabels) {
          yield batch;
          batch = emptyBatch();
        }
        batch.labels.push(label);
        batch.bytes += bytes;
      }
      batch.done.push(key);
    }
  }
  if (batch.done.length > 0) yield batch;
}

const mostLabels = limits.defaultsAtOnce;

function emptyBatch() {
  return { labels: [] as string[], done: [] as string[], bytes: 0 };
}

/** A default label, as a message has it. */
type DueLabel = { readonly id: string; readonly label: unknown; readonly default: true };

function labelsOf(due: Due | undefined): readonly DueLabel[] {
  if (due === undefined) return [];
  const { ids, label } = due;
  return ids.map((id) => ({ id, label, default: true }));
}
