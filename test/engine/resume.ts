import { readFileSync, writeFileSync } from 'node:fs';
import { createEngine } from '../../lib/engine/create-engine.ts';
import { defineSpec, type SpecInput } from '../../lib/spec/spec.ts';
import { decodeParameters, encodeParameters } from '../../lib/state/checkpoint-file.ts';
import { samplesOf } from './samples.ts';

/** A part of a run: which of its rows are learnt, from which checkpoint and into which. */
export type Part = {
  readonly spec: SpecInput;
  /** Minibatches `from … to`. */
  readonly from: number;
  readonly to: number;
  /** Files; without one to read, it begins with the initial state. */
  readonly read?: string;
  readonly write: string;
};

const minibatch = 4;
const rows = 60;

/** Learns a part and writes the checkpoint after it. */
export async function trainPart({ spec: input, from, to, read, write }: Part): Promise<void> {
  const spec = defineSpec(input);
  const model = await createEngine({ threads: 1, warn: () => undefined }).compile(spec);
  const statistics = { count: 0, mean: new Float64Array(), squares: new Float64Array() };
  const before =
    read === undefined ? model.initial() : decodeParameters(readFileSync(read)).parameters;
  const order = Int32Array.from(
    { length: (to - from) * minibatch },
    (_, i) => ((from * minibatch + i) * 17) % rows,
  );
  const run = { minibatch, rate: spec.optimizer.rate, schedule: spec.online.schedule, order };
  const { state } = await model.train(before, samplesOf(spec, rows), run);
  writeFileSync(write, encodeParameters({ ...state, statistics }, {}));
}

// As a program: the parts to learn, as JSON.
if (process.argv[1] === import.meta.filename) {
  for (const part of JSON.parse(process.argv[2] ?? '[]') as Part[]) await trainPart(part);
}
