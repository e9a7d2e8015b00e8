import * as z from 'zod';
import { putUntilAnswered } from '../bucket/conditional-puts.ts';
import { jsonBody, readJsonObject } from '../bucket/json-objects.ts';
import { keys } from '../bucket/keys.ts';
import type { BucketPorts } from '../bucket/object-store.ts';
import { MillraceError } from '../errors.ts';
import { limits } from '../limits.ts';
import { deduplicationId } from '../ports/deduplication.ts';
import type { Ports } from '../ports/ports.ts';
import { contentDigest } from '../ports/producer.ts';
import { forQueue } from '../ports/sqs.ts';
import { judge, type Ledger, type MessageIdentity } from '../state/ledger.ts';

/** Where messages lay before they were sent again. */
type Source = 'quarantine' | 'dead letters';

/**
 * Messages that are sent again under new numbers, from `first` on, in the order of their ids here.
 * The plan is written, create-only, before the first of them is sent. A run that breaks off and is
 * started again therefore sends each under the same number.
 */
const planSchema = z.strictObject({
  source: z.enum(['quarantine', 'dead letters']),
  producer: z.string(),
  first: z.int().positive(),
  messages: z.array(z.string()),
});

/** See {@link planSchema}. */
export type ResendPlan = z.output<typeof planSchema>;

/** Reads the plans of a model that `plans` has not yet, to its end. */
export async function readPlans(
  { store }: Ports,
  model: string,
  plans: ResendPlan[],
): Promise<void> {
  for (;;) {
    const plan = await readJsonObject(store, keys.resend(model, plans.length + 1), planSchema);
    if (plan === undefined) return;
    plans.push(plan);
  }
}

/**
 * Messages that are to get numbers: their ids in order, where they lay, and the ledger that will
 * judge them.
 */
export type Unplanned = {
  readonly source: Source;
  readonly messages: readonly string[];
  readonly ledger: Ledger;
};

/**
 * Gives messages the next numbers, and appends their plan to `plans`, which must hold all earlier
 * plans. The producer is the one that was used last, as long as its next number is new to the
 * ledger. Its name cannot be guessed: nobody else has used its numbers.
 *
 * @throws MillraceError kind `unavailable` if S3 does not answer, or a plan was written by a second
 *   run
 */
export async function writePlan(
  ports: BucketPorts & Pick<Ports, 'nonce'>,
  model: string,
  plans: ResendPlan[],
  { ledger, source, messages }: Unplanned,
): Promise<void> {
  const last = plans.at(-1);
  const next = last && { producer: last.producer, first: last.first + last.messages.length };
  const canGoOn =
    next &&
    judge(ledger, numberedIdentity(next.producer, next.first), ports.limits).verdict === 'new';
  const nobodys = contentDigest({ nonce: ports.nonce() });
  const numbers = canGoOn ? next : { producer: `resend-${plans.length + 1}-${nobodys}`, first: 1 };
  const plan = { source, ...numbers, messages: [...messages] };
  const key = keys.resend(model, plans.length + 1);
  const outcome = await putUntilAnswered(ports, key, jsonBody(plan, key), { ifNoneMatch: '*' });
  if (!outcome?.ok)
    throw new MillraceError('unavailable', `${key} could not be written; try again`);
  plans.push(plan);
}

/** A message's id, and the number under which it is sent again. */
export type Resend = { readonly message: string; readonly producer: string; readonly seq: number };

/** The messages that the plans give numbers to, those that lay in `source`. */
export function resendsOf(plans: readonly ResendPlan[], source: Source): readonly Resend[] {
  return plans
    .filter((plan) => plan.source === source)
    .flatMap(({ producer, first, messages }) =>
      messages.map((message, place) => ({ message, producer, seq: first + place })),
    );
}

/** A message's body under its new number, and the deduplication id that goes with it. */
export function numbered(model: string, body: object, { producer, seq }: Omit<Resend, 'message'>) {
  return {
    body: JSON.stringify({ ...body, producer, seq }),
    deduplication: deduplicationId(model, producer, seq),
  };
}

/** Whether a body is small enough for SQS with any number that a plan may give it. */
export function canBeNumbered(body: object): boolean {
  const largest = numbered('', body, {
    producer: 'x'.repeat(limits.producerCharacters),
    seq: Number.MAX_SAFE_INTEGER,
  });
  return Buffer.byteLength(forQueue(largest.body)) <= limits.messageBytes;
}

/** The identity that a producer's number gives a message. */
export function numberedIdentity(producer: string, seq: number): MessageIdentity {
  return { by: 'producer', producer, seq };
}
