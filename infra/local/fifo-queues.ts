import { hash } from 'node:crypto';

/** A message as fauxqs 2.4.1 keeps it. */
type Kept = { readonly messageGroupId?: string; readonly sequenceNumber?: string };

/** The parts of fauxqs' queue that are mended here; it does not export the class. */
type Queue = {
  readonly attributes: Readonly<Record<string, string>>;
  readonly inflightMessages: ReadonlyMap<string, { readonly message: Kept }>;
  readonly fifoMessages: Map<string, Kept[]>;
  readonly fifoLockedGroups: Map<string, number>;
  dequeueFifo(most: number, seconds: number | undefined, deadLetters: unknown): Received[];
  changeVisibility(receipt: string, seconds: number): void;
  processTimers(): void;
  checkDeduplication(id: string): unknown;
  recordDeduplication(id: string, messageId: string, sequenceNumber: string): void;
};

type Received = { readonly ReceiptHandle: string };

/**
 * Makes fauxqs' FIFO queues answer as SQS' do. A receive takes up to ten messages of one group;
 * what comes back lies in its group's order again.
 *
 * @param prototype of fauxqs' queue class
 * @param factor by which each visibility timeout is shorter than on AWS; 1 for the same
 */
export function mendFifoQueues(prototype: Queue, factor: number): void {
  const { dequeueFifo, changeVisibility, processTimers } = prototype;
  const { checkDeduplication, recordDeduplication } = prototype;
  Object.assign(prototype, {
    dequeueFifo(this: Queue, most: number, seconds: number | undefined, deadLetters: unknown) {
      const visibility = (seconds ?? Number(this.attributes.VisibilityTimeout)) * factor;
      const taken: Received[] = [];
      const own = new Map<string, number>();
      while (taken.length < Math.min(most, 10)) {
        // The groups that this receive has locked are open to itself.
        for (const group of own.keys()) this.fifoLockedGroups.delete(group);
        const [message] = dequeueFifo.call(this, 1, visibility, deadLetters);
        if (message !== undefined) {
          const group = this.inflightMessages.get(message.ReceiptHandle)?.message.messageGroupId;
          if (group !== undefined) own.set(group, (own.get(group) ?? 0) + 1);
          taken.push(message);
        }
        for (const [group, locks] of own) this.fifoLockedGroups.set(group, locks);
        if (message === undefined) break;
      }
      // The groups that had their turn are the last to have the next one.
      for (const group of own.keys()) {
        const waiting = this.fifoMessages.get(group);
        this.fifoMessages.delete(group);
        if (waiting !== undefined) this.fifoMessages.set(group, waiting);
      }
      return taken;
    },
    changeVisibility(this: Queue, receipt: string, seconds: number) {
      changeVisibility.call(this, receipt, seconds * factor);
      if (seconds === 0) sortGroups(this);
    },
    checkDeduplication(this: Queue, id: string) {
      return checkDeduplication.call(this, withoutSender(id));
    },
    recordDeduplication(this: Queue, id: string, ...message: [string, string]) {
      recordDeduplication.call(this, withoutSender(id), ...message);
    },
    processTimers(this: Queue) {
      const before = this.inflightMessages.size;
      processTimers.call(this);
      if (this.inflightMessages.size < before) sortGroups(this);
    },
  });
}

/** fauxqs puts each message that comes back before all others, in the order of their receipts. */
function sortGroups({ fifoMessages }: Queue): void {
  for (const messages of fifoMessages.values())
    messages.sort((a, b) => ((a.sequenceNumber ?? '') < (b.sequenceNumber ?? '') ? -1 : 1));
}

/**
 * SQS deduplicates within a message group where a queue says so, fauxqs over the whole queue: an id
 * that holds its group is as good as one for each group. It carries the sender, who does not count.
 */
export function deduplicationId(group: string, id: string, sender: string): string {
  return `${hash('sha256', JSON.stringify([group, id]))}~${sender.slice(0, 63)}`;
}

/** The sender that a {@link deduplicationId} carries. */
export function senderOf(id: string): string {
  return id.split('~')[1] ?? '';
}

const withoutSender = (id: string) => id.split('~')[0] ?? '';
