import type { Sample } from '../../features/encoder.ts';
import { sliceSamples } from '../../features/samples.ts';
import { addScores, emptyScores, type Scores, score } from '../../metrics/scores.ts';
import { compileModel } from '../../model/model.ts';
import { predict } from '../../model/predict.ts';
import type { Ports } from '../../ports/ports.ts';
import type { State } from '../../state/state.ts';
import { flightsSpec } from './spec.ts';

/**
 * A message's samples, and the sum of a model's losses on them. `seq` is its number in the stream.
 */
export type MessageLoss = { readonly seq: number; readonly samples: number; readonly loss: number };

/**
 * A model that learns no more, and what it earns on the stream that the online model learns from.
 */
export type FrozenModel = {
  /** Predicts the stream's next message: its losses, and the scores of all so far. */
  readonly predict: (samples: readonly Sample[]) => Promise<void>;
  /**
   * Scores on the messages that lie within the first `count` samples; those before are forgotten.
   */
  readonly scoresUpTo: (count: number) => Promise<Scores>;
  /** Messages beyond the last `scoresUpTo`, at most. */
  readonly messagesAhead: () => number;
  readonly losses: readonly MessageLoss[];
};

/** Messages that are predicted at a time: a larger forward pass costs less a sample. */
const messagesAtOnce = 8;

/** The model with the weights of a state, frozen. */
export async function freezeModel({ engine }: Ports, state: State): Promise<FrozenModel> {
  const model = await compileModel(engine, flightsSpec);
  const { spec, encoder } = model;
  const losses: MessageLoss[] = [];
  const ahead: { readonly end: number; readonly scores: Scores }[] = [];
  let waiting: (readonly Sample[])[] = [];
  let newest = emptyScores(spec);
  let settled = newest;

  const predictWaiting = async () => {
    const encoded = encoder.encode(waiting.flat()).samples;
    const predictions = await predict(model, state, encoded);
    let start = 0;
    for (const { length } of waiting) {
      const end = start + length;
      const scores = score(
        spec,
        predictions.subarray(start, end),
        sliceSamples(encoded, start, end, encoder.layout),
      );
      newest = addScores(newest, scores);
      losses.push({ seq: losses.length + 1, samples: length, loss: scores.loss });
      start = end;
    }
    ahead.push({ end: newest.samples, scores: newest });
    waiting = [];
  };
  return {
    async predict(samples) {
      waiting.push(samples);
      if (waiting.length === messagesAtOnce) await predictWaiting();
    },
    async scoresUpTo(count) {
      if (waiting.length > 0 && count > newest.samples) await predictWaiting();
      while (ahead[0] !== undefined && ahead[0].end <= count)
        settled = ahead.shift()?.scores ?? settled;
      return settled;
    },
    messagesAhead: () => ahead.length * messagesAtOnce + waiting.length,
    losses,
  };
}
