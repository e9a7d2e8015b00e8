import { setTimeout as delay } from 'node:timers/promises';
import type { Progress } from '../../cli/progress.ts';
import { MillraceError } from '../../errors.ts';
import type { Sample } from '../../features/encoder.ts';
import { standardize } from '../../features/statistics.ts';
import { decodeCheckpoint } from '../../journal/checkpoint.ts';
import { keys } from '../../journal/keys.ts';
import type { State } from '../../journal/state.ts';
import { addScores, emptyScores, meanLoss, type Scores, score } from '../../model/scores.ts';
import type { ObjectStore, Ports } from '../../ports/ports.ts';
import { createProducer } from '../../ports/producer.ts';
import { compileModel } from '../../training/model.ts';
import { type Flight, flightsOfMonth, monthNames, readFlights, toSample } from './data.ts';
import { flightsSpec } from './spec.ts';

/** Flights of one message: some quarter of an hour of departures. */
const messageFlights = 256;
/** Messages that may wait in the queue. */
const messagesAhead = 64;
/** Messages that the frozen model predicts at a time. */
const messagesScored = 8;
const producerName = 'flights-replay';

/** What streaming did. */
export type Streamed = {
  readonly state: State;
  /** Scores of the frozen model on the same samples as the online model's `state.scores`. */
  readonly frozen: Scores;
  readonly seconds: number;
  /** Samples that were learnt while this run watched. */
  readonly learntNow: number;
};

/**
 * Streams months of flights through the samples queue, in the order of departure, and scores the frozen batch
 * model on the same samples. The ledger in the state says where an earlier run came to: what it sent and the
 * model settled is not sent again, and what is sent twice is learnt once.
 */
export async function streamFlights(
  ports: Ports,
  progress: Progress,
  frozenState: State,
  {
    months,
    limit,
    signal,
  }: { readonly months: number; readonly limit: number; readonly signal: AbortSignal },
): Promise<Streamed> {
  const { store, now } = ports;
  const predictFrozen = await frozenScorer(ports, frozenState);
  let state = await readState(store);
  const learntBefore = state.learnt;
  const settledBefore = state.ledger.producers.get(producerName)?.highest ?? 0;
  const lastMonth = Math.max(months, monthOfSample(learntBefore, limit));
  const producer = createProducer(ports.sendSamples, flightsSpec.model, producerName, settledBefore + 1);
  const total = flightsOfMonth
    .slice(1, lastMonth + 1)
    .reduce((sum, flights) => sum + Math.min(flights, limit), 0);
  const started = now();
  const title =
    lastMonth === 1 ? monthNames[1] : `${monthNames[1].slice(0, 3)}–${monthNames[lastMonth]?.slice(0, 3)}`;
  const bar = progress.bar(title, total, 'samples');

  /** The frozen model's scores up to each place in the stream that is not known to be learnt yet. */
  const ahead: { readonly samples: number; readonly scores: Scores }[] = [];
  let frozen = emptyScores(flightsSpec);
  let sent = 0;
  let message = 0;
  const settleAhead = async () => {
    state = await readState(store);
    while (ahead[0] !== undefined && ahead[0].samples <= state.learnt)
      frozen = ahead.shift()?.scores ?? frozen;
    bar.update(state.learnt, {
      'log loss: frozen': meanLoss(frozen).toFixed(4),
      online: meanLoss(state.scores).toFixed(4),
    });
  };
  try {
    let scores = frozen;
    let unscored: Sample[] = [];
    const scoreFrozen = async () => {
      sent += unscored.length;
      scores = addScores(scores, await predictFrozen(unscored));
      ahead.push({ samples: sent, scores });
      unscored = [];
    };
    for await (const flights of messagesOfMonths(lastMonth, limit)) {
      signal.throwIfAborted();
      message += 1;
      const samples = flights.map(toSample);
      if (message > settledBefore) await producer.send(samples);
      unscored.push(...samples);
      if (message % messagesScored === 0) await scoreFrozen();
      while (ahead.length * messagesScored >= messagesAhead) {
        await settleAhead();
        if (ahead.length * messagesScored >= messagesAhead) await delay(20, undefined, { signal });
      }
    }
    if (unscored.length > 0) await scoreFrozen();
    while (ahead.length > 0) {
      await settleAhead();
      if (ahead.length > 0) await delay(100, undefined, { signal });
    }
  } finally {
    bar.finish();
  }
  return { state, frozen, seconds: (now() - started) / 1_000, learntNow: state.learnt - learntBefore };
}

/** Messages of the stream. They are cut inside each month, so that their numbers do not depend on `lastMonth`. */
async function* messagesOfMonths(lastMonth: number, limit: number): AsyncGenerator<readonly Flight[]> {
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
  let month = 1;
  let end = Math.min(flightsOfMonth[1], limit);
  while (learnt > end && month < flightsOfMonth.length - 1) {
    month += 1;
    end += Math.min(flightsOfMonth[month] ?? 0, limit);
  }
  return month;
}

async function frozenScorer(
  { engine }: Ports,
  state: State,
): Promise<(samples: readonly unknown[]) => Promise<Scores>> {
  const { spec, compiled, encoder, standardized } = await compileModel(engine, flightsSpec);
  return async (samples) => {
    const encoded = encoder.encode(samples).samples;
    const predictions = await compiled.predict(state, standardize(encoded, state.statistics, standardized));
    return score(spec, predictions, encoded);
  };
}

async function readState(store: ObjectStore): Promise<State> {
  const object = await store.get(keys.state(flightsSpec.model));
  if (object === undefined) throw new MillraceError('corrupt', `${keys.state(flightsSpec.model)} is missing`);
  return decodeCheckpoint(object.body);
}
