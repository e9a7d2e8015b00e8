import type { CompiledModel, Engine, EngineState } from '../../lib/engine/engine.ts';

/**
 * A model that learns nothing and forgets nothing: its weights are exact integers to which every
 * bit of every sample, its order, its minibatch, its step and its rate have contributed. It stands
 * in for the real engine in thousands of schedules.
 */
export const chainEngine: Engine = { compile: async () => chainModel };

const chainModel: CompiledModel = {
  engine: 'chain-1',
  outputs: 1,
  work: { predicted: 1, learnt: 3, step: 0 },
  initial: () => ({
    tensors: {
      'weights/chain': { shape: [2], data: Float32Array.of(1, 2) },
      'optimizer/chain': { shape: [2], data: Float32Array.of(3, 4) },
    },
    step: 0,
    seed: 1,
  }),
  async train(state, samples, { minibatch, rate, order }) {
    const chain = read(state);
    const bits = new Uint32Array(Float32Array.from(samples.numbers).buffer);
    const width = samples.numbers.length / Math.max(samples.count, 1);
    const rows = order ?? Int32Array.from({ length: samples.count }, (_, row) => row);
    const steps = Math.ceil(rows.length / minibatch);
    for (let step = 0; step < steps; step++) {
      const batch = rows.subarray(step * minibatch, (step + 1) * minibatch);
      mix(chain, state.step + step, batch.length, Math.round(rate * 1e6));
      for (const row of batch) {
        mix(
          chain,
          samples.labels[row] ?? 0,
          samples.weights[row] ?? 0,
          samples.categories[row] ?? 0,
        );
        mix(chain, ...bits.subarray(row * width, (row + 1) * width));
      }
    }
    const losses = new Float32Array(steps).fill((chain[0] ?? 0) / prime);
    return { state: write(state, chain, steps), losses };
  },
  restart: (state) => state,
  async predict(state, samples) {
    const [first = 0] = read(state);
    return new Float32Array(samples.count).fill(first / prime);
  },
};

/** The largest prime below 2^24: float32 holds every integer up to there. */
const prime = 16_777_213;

function mix(chain: number[], ...values: readonly number[]): void {
  for (const value of values) {
    const [a = 0, b = 0, c = 0, d = 0] = chain;
    const folded = Math.abs(Math.trunc(value)) % prime;
    const next = (a * 31 + b * 17 + folded) % prime;
    chain.splice(0, 4, next, (b + next * 7) % prime, (c * 5 + next) % prime, (d + c + 1) % prime);
  }
}

function read({ tensors }: EngineState): number[] {
  return ['weights/chain', 'optimizer/chain'].flatMap((name) => [...(tensors[name]?.data ?? [])]);
}

function write(state: EngineState, chain: readonly number[], steps: number): EngineState {
  return {
    ...state,
    step: state.step + steps,
    tensors: {
      'weights/chain': { shape: [2], data: Float32Array.from(chain.slice(0, 2)) },
      'optimizer/chain': { shape: [2], data: Float32Array.from(chain.slice(2)) },
    },
  };
}
