import { setTimeout as delay } from 'node:timers/promises';
import type { ObjectStore } from '../../bucket/object-store.ts';
import type { Progress } from '../../cli/progress.ts';
import { invariant } from '../../errors.ts';
import { currentState, stateAt } from '../../fold/fold.ts';
import { entriesAfter, headersAfter } from '../../journal/reading.ts';
import { limits } from '../../limits.ts';
import { meanLoss, type Scores } from '../../metrics/scores.ts';
import { loadModel } from '../../model/model.ts';
import type { Ports } from '../../ports/ports.ts';
import { createProducer } from '../../ports/producer.ts';
import type { State } from '../../state/state.ts';
import { type Flight, flightsOfMonth, monthNames, readFlights, toSample } from './data.ts';
import { freezeModel, type MessageLoss } from './frozen.ts';
import { flightsSpec } from './spec.ts';

/** Flights of one message: some quarter of an hour of departures. */
const messageFlights = 256;
/** Messages that may wait in the queue. */
const messagesAhead = 64;

/** How far the stream goes. */
export type StreamOptions = {
  readonly months: number;
  readonly limit: number;
  /** Under whose name the messages are numbered. */
  readonly producer: string;
  readonly signal: AbortSignal;
};

/** What streaming did. */
export type Streamed = {
  readonly state: State;
  /** Scores of the frozen model on the same samples as the online model's `state.scores`. */
  readonly frozen: Scores;
  /** The frozen model's losses, and the day of each message: that of its first flight. */
  readonly losses: readonly MessageLoss[];
  readonly days: readonly string[];
  readonly seconds: number;
  /** Samples that were learnt while this run watched. */
  readonly learntNow: number;
};

/**
 * Streams months of flights through the samples queue, in the order of departure, and scores the
 * frozen batch model on the same samples. The ledger in the state says where an earlier run came
 * to: what it sent and the model settled is not sent again, and what is sent twice is learnt once.
 *
 * @param promotion the entry at which the batch model's weights came in
 */
export async function streamFlights(
  ports: Ports,
  progress: Progress,
  promotion: number,
  options: StreamOptions,
): Promise<Streamed> {
  const { store, now } = ports;
  const { limit, signal, producer: producerName } = options;
  const model = await loadModel(ports, flightsSpec.model);
  invariant(model !== undefined, `${flightsSpec.model} is gone`);
  const frozen = await freezeModel(ports, await stateAt(ports, model, promotion));
  const state = await currentState(ports, model);
  const online = followJournal(store, state);
  const learntBefore = state.learnt;
  const settledBefore = state.ledger.producers.get(producerName)?.highest ?? 0;
  const lastMonth = Math.max(options.months, monthOfSample(learntBefore, limit));
  const producer = createProducer(
    ports.sendSamples,
    flightsSpec.model,
    producerName,
    settledBefore + 1,
  );
  const started = now();
  const bar = progress.bar(titleOf(lastMonth), flightsUpTo(lastMonth, limit), 'samples');
  const days: string[] = [];

  /** Shows where the online model is, and waits until it is at most so many messages behind. */
  const waitUntilBehind = async (messages: number) => {
    for (;;) {
      const { learnt, meanLoss: onlineLoss } = await online();
      const scores = await frozen.scoresUpTo(learnt);
      bar.update(learnt, {
        frozen: meanLoss(scores).toFixed(4),
        online: onlineLoss.toFixed(4),
      });
      if (frozen.messagesAhead() <= messages) return scores;
      await delay(50, undefined, { signal });
    }
  };
  try {
    for await (const flights of messagesOfMonths(lastMonth, limit)) {
      signal.throwIfAborted();
      const samples = flights.map(toSample);
      days.push(flights[0]?.day ?? '');
      if (days.length > settledBefore) await producer.send(samples);
      await frozen.predict(samples);
      if (frozen.messagesAhead() > messagesAhead) await waitUntilBehind(messagesAhead);
    }
    const scores = await waitUntilBehind(0);
    const seconds = (now() - started) / 1_000;
    const after = await currentState(ports, model);
    const learntNow = after.learnt - learntBefore;
    return { state: after, frozen: scores, losses: frozen.losses, days, seconds, learntNow };
  } finally {
    bar.finish();
  }
}

/** The online model's losses on the messages of the stream, out of its journal. */
export async function lossesInJournal(
  { store }: Pick<Ports, 'store'>,
  { model, sequence }: Pick<State, 'model' | 'sequence'>,
  producerName: string,
): Promise<readonly MessageLoss[]> {
  const losses: MessageLoss[] = [];
  const journal = entriesAfter(store, model, 0, { to: sequence, ahead: limits.readsAtOnce });
  for await (const { header } of journal) {
    for (const { producer, seq = 0, samples, loss = 0 } of header.messages) {
      if (producer === producerName) losses.push({ seq, samples, loss: loss * samples });
    }
  }
  return losses;
}

function titleOf(lastMonth: number): string {
  const [, february] = monthNames;
  return lastMonth === 1
    ? february
    : `${february.slice(0, 3)}–${monthNames[lastMonth]?.slice(0, 3)}`;
}

function flightsUpTo(lastMonth: number, limit: number): number {
  return flightsOfMonth
    .slice(1, lastMonth + 1)
    .reduce((sum, flights) => sum + Math.min(flights, limit), 0);
}

/**
 * Messages of the stream. They are cut inside each month, so that their numbers do not depend on
 * `lastMonth`.
 */
async function* messagesOfMonths(
  lastMonth: number,
  limit: number,
): AsyncGenerator<readonly Flight[]> {
  for (let month = 1; month <= lastMonth; month++) {
    let pending: Flight[] = [];
    let taken = 0;
    for await (const { flights } of readFlights(month, month)) {
      const used = flights.slice(0, limit - taken);
      taken += used.length;
      pending.push(...used);
      let start = 0;
      for (; pending.length - start >= messageFlights; start += messageFlights) {
        yield pending.slice(start, start + messageFlights);
      }
      pending = pending.slice(start);
    }
    if (pending.length > 0) yield pending;
  }
}

/** The month, 1 to 5, up to which a stream has come that learnt so many samples. */
function monthOfSample(learnt: number, limit: number): number {
  const month = flightsOfMonth.findIndex(
    (_, last) => last > 0 && learnt <= flightsUpTo(last, limit),
  );
  return month < 0 ? flightsOfMonth.length - 1 : month;
}

/** Says how far a model has come since a state, by the entries of its journal. */
function followJournal(store: ObjectStore, { model, sequence, learnt, scores }: State) {
  const place = { sequence, learnt, samples: scores.samples, loss: scores.loss };
  return async () => {
    for await (const header of headersAfter(store, model, place.sequence)) {
      place.sequence = header.sequence;
      for (const { samples, loss = 0 } of header.messages) {
        place.learnt += samples;
        place.samples += samples;
        place.loss += samples * loss;
      }
    }
    return { learnt: place.learnt, meanLoss: place.loss / place.samples };
  };
}
