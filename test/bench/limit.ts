import { FunctionBuilder } from '../../lib/wasm/assembler.ts';
import { encodeModule } from '../../lib/wasm/module.ts';
import { instantiate } from '../../lib/wasm/runtime.ts';
import type { Row } from './rows.ts';

/** What one core of this machine can do at most. */
export type Peak = {
  /** Multiplications with an addition each, a second, as WebAssembly has them: four at once. */
  readonly products: number;
  /** Bytes that are read and written again, a second, where they fit into no cache. */
  readonly bytes: number;
};

const sums = 10;
const loops = 2_000_000;
const copied = 64 * 1_048_576;

/** Measures both. */
export async function measurePeak(): Promise<Peak> {
  const f = new FunctionBuilder({ parameters: 1 });
  const factor = f.loadSplat(undefined, 64);
  const totals = Array.from({ length: sums }, () => f.load(undefined, 64));
  const left = f.local('i32');
  f.setInteger(left, loops);
  f.repeatWhile(left, () => {
    for (const total of totals)
      f.assign(total, 'f32x4.add', f.vector('f32x4.mul', total, factor), factor);
  });
  for (const total of totals) f.store(undefined, 64, total);
  const parts = { functions: [f], exports: { run: 0 }, memoryBytes: 128, segments: [] };
  const { call } = await instantiate(encodeModule(parts));
  const products = best(() => {
    call('run', 0);
    return loops * sums * 4;
  });
  const [from, to] = [new Float64Array(copied / 8), new Float64Array(copied / 8)];
  const bytes = best(() => {
    to.set(from);
    return 2 * copied;
  });
  return { products, bytes };
}

/** The best rate of some repetitions. */
function best(run: () => number): number {
  let most = 0;
  for (let i = 0; i < 8; i++) {
    const started = performance.now();
    const done = run();
    most = Math.max(most, (1_000 * done) / (performance.now() - started));
  }
  return most;
}

/** Weights that a row's matrices have, and how often a sample multiplies with each, forwards. */
function matricesOf(row: Row): readonly (readonly [weights: number, uses: number])[] {
  const dense = (widths: readonly number[]) =>
    widths.slice(1).map((width, i) => [width * (widths[i] ?? 0), 1] as const);
  switch (row.kind) {
    case 'dense':
      return dense(row.sizes ?? []);
    case 'embeddings': {
      const embedded = (row.tables ?? []).reduce((sum, [, width]) => sum + width, 1);
      return dense([embedded, ...(row.hidden ?? []), 1]);
    }
    case 'convolutional':
      return [[6 * 25, 24 * 24], [16 * 6 * 25, 8 * 8], ...dense([256, 120, 84, 10])];
    case 'recurrent':
      return [[(8 + 64) * 4 * 64, 20], ...dense([64, 1])];
  }
}

/**
 * Microseconds that a step takes at least: its products at the machine's peak, or its weights and
 * slots through memory, whichever is longer. (What fits into a cache is faster.)
 */
export function limitOf(row: Row, peak: Peak): number {
  const matrices = matricesOf(row);
  const forwards = matrices.reduce((sum, [weights, uses]) => sum + weights * uses, 0);
  const [weights = 0, uses = 0] = matrices[0] ?? [];
  // Forwards, the gradient of the weights, and that of the inputs, which the first layer has not.
  const backwards = 2 * forwards - (row.kind === 'embeddings' ? 0 : weights * uses);
  const products = row.minibatch * (forwards + backwards);
  const all = matrices.reduce((sum, [each]) => sum + each, 0);
  const touched = (row.tables ?? []).reduce(
    (sum, [rows, width]) => sum + Math.min(rows, row.minibatch) * width,
    0,
  );
  const bytes = (all + touched) * 2 * 4 * (row.optimizer === 'adam' ? 3 : 1);
  return 1e6 * Math.max(products / peak.products, bytes / peak.bytes);
}
