import type { SQSRecord } from 'aws-lambda';
import * as z from 'zod';
import { parseCommand, type SentCommand } from '../commands/commands.ts';
import { numbering } from '../commands/numbering.ts';
import { invalid, reasonOf } from '../errors.ts';
import { limits } from '../limits.ts';
import { isRecord, parseJson } from '../parse.ts';
import { contentDigest } from '../ports/producer.ts';
import { type Refused, refuse } from '../refusal.ts';
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
  /** When it was sent, in milliseconds since 1970. */
  readonly sentAt?: number;
  /** How often it was received, this time included. */
  readonly receives?: number;
  /** Whether its sender may send samples alone. */
  readonly isOfProducer?: boolean;
};

/**
 * A record of a delivery, as Lambda hands it to the function.
 *
 * @param mayCommand whether a sender may send other commands than samples
 */
export function messageOf(
  { messageId, body, attributes, eventSourceARN }: SQSRecord,
  mayCommand: (senderId: string | undefined) => boolean,
): Message {
  return {
    id: messageId,
    body,
    group: attributes.MessageGroupId ?? '',
    queue: eventSourceARN,
    sequenceNumber: attributes.SequenceNumber ?? '0',
    sentAt: Number(attributes.SentTimestamp),
    receives: Number(attributes.ApproximateReceiveCount),
    isOfProducer: !mayCommand(attributes.SenderId),
  };
}

/** A message that cannot be read as a command. */
export type Malformed = { readonly kind: 'malformed' } & Refused<'malformed'>;

/** A parsed message: its identity, and its command or the reason why it has none. */
export type ParsedMessage = {
  readonly message: Message;
  readonly identity: MessageIdentity;
  /** The last entry that was searched for the dead letter, where it is one that was redriven. */
  readonly searchedTo?: number;
  readonly command: SentCommand | Malformed;
};

/**
 * Parses one message. It never throws: a body that is no command is `malformed`, with the reason.
 */
export function parseMessage(message: Message): ParsedMessage {
  let sent: unknown;
  try {
    sent = parseJson(message.body, 'body', limits.messageBytes, limits.messageDepth);
    const command = parseCommand(sent);
    if (message.isOfProducer && command.kind !== 'samples') {
      throw invalid(`body.${command.kind}: commands come through the commands queue, not this one`);
    }
    return { message, command, ...identify(message, command.body) };
  } catch (error) {
    const reason = reasonOf(error);
    const command: Malformed = { kind: 'malformed', ...refuse('malformed', reason) };
    return {
      message,
      command,
      ...(identifyLetter(message, sent) ?? { identity: identityInQueue(message) }),
    };
  }
}

/**
 * By the number that a redrive gave a letter which cannot be read, so that it is refused once, too.
 * (A producer's own stays free for what he mends.)
 */
function identifyLetter(message: Message, sent: unknown): Identified | undefined {
  const number = numberOfLetter.safeParse(sent);
  return number.success && isRecord(sent)
    ? identify(message, { ...sent, ...number.data })
    : undefined;
}

const numberOfLetter = z.object(numbering).required();

type Identified = Pick<ParsedMessage, 'identity' | 'searchedTo'>;

function identify(
  message: Message,
  { producer, seq, deadLetter, ...content }: Partial<z.output<typeof numberOfLetter>>,
): Identified {
  if ((producer === undefined) !== (seq === undefined)) {
    throw invalid('body.producer and body.seq go together or stay away together');
  }
  if (producer === undefined || seq === undefined) {
    if (deadLetter !== undefined) throw invalid('body.deadLetter needs body.producer and body.seq');
    return { identity: identityInQueue(message) };
  }
  const digest = contentDigest(content);
  if (deadLetter === undefined) return { identity: { by: 'producer', producer, seq, digest } };
  const { id, searchedTo } = deadLetter;
  return { identity: { by: 'producer', producer, seq, digest, deadLetter: id }, searchedTo };
}

function identityInQueue({ id, queue, sequenceNumber }: Message): MessageIdentity {
  return { by: 'queue', id, queue, sequenceNumber };
}
