import { type EncodedSamples, sliceSamples } from '../../lib/features/samples.ts';
import { type Learned, learn } from '../../lib/model/learn.ts';
import type { Model } from '../../lib/model/model.ts';
import type { Parameters } from '../../lib/state/state.ts';

/** A message of a stream, the parameters before it, and what was learnt of it. */
export type Step = {
  readonly message: EncodedSamples;
  readonly before: Parameters;
  readonly learned: Extract<Learned, { ok: true }>;
};

/** What samples teach. @throws Error if they cannot be learnt */
export async function learnAll(
  model: Model,
  before: Parameters,
  samples: EncodedSamples,
): Promise<Step['learned']> {
  const learned = await learn(model, before, samples);
  if (!learned.ok) throw new Error(learned.reason);
  return learned;
}

/** Learns a stream, `size` samples a message, each message predicted whole before it is learnt. */
export async function* learnMessages(
  model: Model,
  stream: EncodedSamples,
  size: number,
): AsyncGenerator<Step> {
  let before = model.initial;
  for (let start = 0; start < stream.count; start += size) {
    const message = sliceSamples(stream, start, start + size, model.encoder.layout);
    const learned = await learnAll(model, before, message);
    yield { message, before, learned };
    before = learned.parameters;
  }
}
