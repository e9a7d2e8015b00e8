import { isOfKind } from '../errors.ts';
import type { Refusal } from '../features/encoder.ts';
import { afterMessage, settleMessages } from '../fold/fold.ts';
import { learn } from '../fold/learn.ts';
import type { Model } from '../fold/model.ts';
import type { Entry, EntryHeader, SettledMessage } from '../journal/entry.ts';
import { quarantine, type RefusedSample } from '../journal/quarantine.ts';
import { limits } from '../limits.ts';
import { meanLoss } from '../metrics/scores.ts';
import type { Ports } from '../ports/ports.ts';
import { judge, settle } from '../state/ledger.ts';
import type { State } from '../state/state.ts';
import { judgeMessage } from './judge-message.ts';
import type { ParsedMessage } from './messages.ts';
import { readSampleObject } from './sample-objects.ts';

/** An entry that is ready to be committed, the state that it leads to, and how many messages it settles. */
export type Change = { readonly entry: Entry; readonly state: State; readonly settled: number };

/**
 * Learns messages of samples, in order, until a promotion, the end, or until time is left only to publish.
 * Nothing has happened before the entry is committed, but for quarantine records, which repeat themselves.
 */
export async function learnMessages(
  ports: Ports,
  model: Model,
  state: State,
  messages: readonly ParsedMessage[],
  secondsLeft: () => number,
): Promise<Change | undefined> {
  const settledMessages: SettledMessage[] = [];
  const lines: unknown[] = [];
  const sequence = state.sequence + 1;
  let next = state;
  let ledger = state.ledger;
  let settled = 0;

  for (const parsed of messages) {
    if (['promote', 'rollback', 'retract'].includes(parsed.command.kind)) break;
    if (settled > 0 && secondsLeft() < limits.publishReserveSeconds) break;
    settled += 1;
    const judgement = await judgeMessage(ports, { ...state, ledger }, settledMessages, parsed);
    if (judgement.verdict === 'settled') continue;
    const outcome = await outcomeOf(ports, model, next, parsed, judgement);
    if (judge(ledger, parsed.identity, ports.limits).verdict === 'new')
      ledger = settle(ledger, parsed.identity, sequence, ports.limits);
    if (outcome.refused.length > 0) {
      const source = quarantineSource(ports, parsed, outcome.refused, sequence);
      await quarantine(ports, model.name, {
        message: parsed.message.id,
        ...source,
        refused: outcome.refused,
      });
    }
    next = outcome.state ?? next;
    lines.push(...outcome.samples);
    settledMessages.push(settledMessage(parsed, outcome));
  }
  if (settledMessages.length === 0) return undefined;
  const header: EntryHeader = { kind: 'samples', ...entryCommon(ports, model, state, settledMessages) };
  return {
    entry: { header, samples: lines },
    state: { ...next, ...pickSettled(settleMessages(ports, state, header)) },
    settled,
  };
}

/** The fields that every entry after `state` has. */
export function entryCommon(
  { now, nonce }: Ports,
  model: Model,
  state: State,
  messages: SettledMessage[],
): Omit<Extract<EntryHeader, { kind: 'samples' }>, 'kind'> {
  return {
    sequence: state.sequence + 1,
    model: model.name,
    spec: model.specHash,
    engine: model.compiled.engine,
    nonce: nonce(),
    time: new Date(now()).toISOString(),
    messages,
  };
}

function pickSettled({ sequence, ledger }: State): Pick<State, 'sequence' | 'ledger'> {
  return { sequence, ledger };
}

/** What becomes of a message that is not settled yet. */
async function outcomeOf(
  ports: Ports,
  model: Model,
  state: State,
  parsed: ParsedMessage,
  judgement: Awaited<ReturnType<typeof judgeMessage>>,
): Promise<Outcome> {
  if (judgement.verdict === 'overtaken') return { samples: [], refused: [] };
  if (judgement.verdict !== 'refused') return learnMessage(ports, model, state, parsed);
  return rejectedMessage({ index: -1, field: 'producer', reason: judgement.reason });
}

/** What became of one message. */
export type Outcome = {
  readonly samples: readonly unknown[];
  readonly refused: readonly RefusedSample[];
  readonly state?: State;
  readonly loss?: number;
};

async function learnMessage(
  ports: Ports,
  model: Model,
  state: State,
  parsed: ParsedMessage,
): Promise<Outcome> {
  const samples = await samplesOf(ports, parsed);
  if (!Array.isArray(samples)) return rejectedMessage(samples as Refusal);
  const encoding = model.encoder.encode(samples);
  const refused = encoding.refused.map((refusal) => ({ ...refusal, sample: samples[refusal.index] }));
  if (encoding.accepted.length === 0) return { samples: [], refused };
  const learned = await learn(model, state, encoding.samples);
  if (!learned.ok) {
    const rest = [...encoding.accepted].map((index) => ({
      index,
      field: 'samples',
      reason: `the message's effect was undone: ${learned.reason}`,
      sample: samples[index],
    }));
    return { samples: [], refused: [...refused, ...rest] };
  }
  return {
    samples: [...encoding.accepted].map((index) => samples[index]),
    refused,
    state: afterMessage(state, learned, encoding.accepted.length),
    loss: meanLoss(learned.scores),
  };
}

async function samplesOf(ports: Ports, { command }: ParsedMessage): Promise<readonly unknown[] | Refusal> {
  if (command.kind === 'malformed') return { index: -1, field: command.field, reason: command.reason };
  if (command.kind !== 'samples') return { index: -1, field: 'body', reason: 'must be a command of samples' };
  if (typeof command.samples !== 'string') return command.samples;
  try {
    return await readSampleObject(ports.store, command.samples);
  } catch (error) {
    if (!isOfKind(error, 'invalid')) throw error;
    return { index: -1, field: 'samples', reason: error.message };
  }
}

/** The outcome of a message that is refused as a whole. */
export function rejectedMessage(refusal: Refusal): Outcome {
  return { samples: [], refused: [refusal] };
}

/** A message as its entry lists it. */
export function settledMessage({ message, identity }: ParsedMessage, outcome: Outcome): SettledMessage {
  return {
    id: message.id,
    ...(identity.producer === undefined
      ? {}
      : { producer: identity.producer.name, seq: identity.producer.seq }),
    ...(identity.deadLetter === undefined ? {} : { deadLetter: identity.deadLetter }),
    queue: identity.queue,
    sequenceNumber: identity.sequenceNumber,
    outcome: outcome.samples.length > 0 ? 'learnt' : 'rejected',
    samples: outcome.samples.length,
    refused: outcome.refused.length,
    ...(outcome.loss === undefined ? {} : { loss: outcome.loss }),
  };
}

/** Where quarantined samples came from; a message that is refused as a whole is kept whole. */
export function quarantineSource(
  { now }: Ports,
  { message, identity }: ParsedMessage,
  refused: readonly RefusedSample[],
  sequence: number,
) {
  return {
    sequence,
    time: new Date(now()).toISOString(),
    queue: message.queue,
    sequenceNumber: message.sequenceNumber,
    ...(identity.producer === undefined
      ? {}
      : { producer: identity.producer.name, seq: identity.producer.seq }),
    ...(refused.some(({ index }) => index < 0) ? { body: message.body } : {}),
  };
}
