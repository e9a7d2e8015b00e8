import type { SQSRecord } from 'aws-lambda';
import { z } from 'zod';
import { invalid } from '../errors.ts';
import { limits } from '../limits.ts';
import { parse, parseJson, strictObject } from '../parse.ts';
import { jobId, producerName } from '../spec/names.ts';
import type { MessageIdentity } from '../state/ledger.ts';

/** One SQS record of the samples queue, as it arrived. */
export type Message = {
  /** The SQS message id: the same for every delivery of the message. */
  readonly id: string;
  readonly body: string;
  /** The MessageGroupId: the model's name. */
  readonly group: string;
  /** The ARN of the queue, and the record's SequenceNumber there. */
  readonly queue: string;
  readonly sequenceNumber: string;
};

/** A record of a delivery, as Lambda hands it to the function. */
export function messageOf({ messageId, body, attributes, eventSourceARN }: SQSRecord): Message {
  return {
    id: messageId,
    body,
    group: attributes.MessageGroupId ?? '',
    queue: eventSourceARN,
    sequenceNumber: attributes.SequenceNumber ?? '0',
  };
}

const sampleList = z
  .array(z.unknown())
  .min(1, 'must hold at least one sample')
  .max(limits.messageSamples, `at most ${limits.messageSamples} samples`);

const sampleObject = z
  .string()
  .regex(/^s3:\/\/[^/]+\/datasets\/.+$/, 'must be a list, or an object below s3://<bucket>/datasets/');

const numbering = {
  producer: producerName.optional(),
  seq: z.int().positive().optional(),
  /** Set by `millrace redrive`: the dead letter that got this number, and the last entry that was searched for it. */
  deadLetter: strictObject({
    id: z.string().max(limits.producerCharacters),
    searchedTo: z.int().nonnegative(),
  }).optional(),
};
type Numbering = z.output<z.ZodObject<typeof numbering>>;

const samplesCommand = strictObject({ ...numbering, samples: z.union([sampleList, sampleObject]) });

const promoteCommand = strictObject({
  ...numbering,
  promote: strictObject({ job: jobId, digest: z.string().regex(/^[0-9a-f]{64}$/) }),
});

const rollbackCommand = strictObject({
  ...numbering,
  rollback: strictObject({
    /** The entry whose weights come back; 0 for those before the first. */
    to: z.int().nonnegative(),
  }),
});

const retractCommand = strictObject({
  ...numbering,
  retract: strictObject({
    job: jobId,
    digest: z.string().regex(/^[0-9a-f]{64}$/),
    /** The first entry that holds what is retracted. */
    from: z.int().positive(),
    messages: z.array(z.string().max(limits.producerCharacters)),
    samples: z.array(z.string().regex(/^[0-9a-f]{32}$/)),
    /** Promoted jobs that had learnt it, and are left out with it. */
    jobs: z.array(jobId).default([]),
  }),
});

/** Commands that are reserved; they are refused until they are built, never misread. */
const reserved = ['spec'] as const;

/** What a retraction leaves out, and where the weights without it are. */
export type RetractCommand = z.output<typeof retractCommand>['retract'];

/** A message's body, parsed: what it asks for. */
export type Command =
  | { readonly kind: 'samples'; readonly samples: readonly unknown[] | string }
  | { readonly kind: 'promote'; readonly job: string; readonly digest: string }
  | { readonly kind: 'rollback'; readonly to: number }
  | ({ readonly kind: 'retract' } & RetractCommand);

/** A parsed message: who it is, and its command, or why it cannot be one. */
export type ParsedMessage = {
  readonly message: Message;
  readonly identity: MessageIdentity;
  /** The last entry that was searched for the dead letter, where it is one that was redriven. */
  readonly searchedTo?: number;
  readonly command: Command | { readonly kind: 'malformed'; readonly field: string; readonly reason: string };
};

/** Parses one message. It never throws: what is no command is `malformed`, with the reason. */
export function parseMessage(message: Message): ParsedMessage {
  const { id, queue, sequenceNumber } = message;
  const anonymous: MessageIdentity = { id, queue, sequenceNumber };
  try {
    const { producer, seq, deadLetter, command } = parseCommand(parseJson(message.body));
    if ((producer === undefined) !== (seq === undefined)) {
      throw invalid('body.producer and body.seq go together or stay away together');
    }
    if (producer === undefined || seq === undefined) {
      if (deadLetter !== undefined) throw invalid('body.deadLetter needs body.producer and body.seq');
      return { message, identity: anonymous, command };
    }
    const numbered = { ...anonymous, producer: { name: producer, seq } };
    if (deadLetter === undefined) return { message, identity: numbered, command };
    const identity = { ...numbered, deadLetter: deadLetter.id };
    return { message, identity, searchedTo: deadLetter.searchedTo, command };
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    return { message, identity: anonymous, command: { kind: 'malformed', field: 'body', reason } };
  }
}

function parseCommand(body: unknown): Numbering & { readonly command: Command } {
  if (typeof body === 'object' && body !== null && 'promote' in body) {
    const { promote, ...numbers } = parse(promoteCommand, body, 'body');
    return { ...numbers, command: { kind: 'promote', ...promote } };
  }
  if (typeof body === 'object' && body !== null && 'rollback' in body) {
    const { rollback, ...numbers } = parse(rollbackCommand, body, 'body');
    return { ...numbers, command: { kind: 'rollback', ...rollback } };
  }
  if (typeof body === 'object' && body !== null && 'retract' in body) {
    const { retract, ...numbers } = parse(retractCommand, body, 'body');
    return { ...numbers, command: { kind: 'retract', ...retract } };
  }
  const later = reserved.find((name) => typeof body === 'object' && body !== null && name in body);
  if (later !== undefined) throw invalid(`body.${later}: this command is not available yet`);
  const { samples, ...numbers } = parse(samplesCommand, body, 'body');
  return { ...numbers, command: { kind: 'samples', samples } };
}
