import type { EncodedSamples } from '../../features/samples.ts';
import type { ColumnScales, LabelScale } from '../../features/scaling.ts';
import type { EngineState, Run } from '../engine.ts';
import { rowsInOrder } from '../run.ts';

/** A step of a run, for experts that keep samples. */
export type KeptStep = {
  /** How numbers and labels are standardised. */
  readonly numberScale: ColumnScales | undefined;
  readonly labelScale: LabelScale | undefined;
  /** The rows to be kept: of those that weigh something, and none where they are known already. */
  readonly rows: Int32Array;
};

/** The steps of a run. */
export function keptSteps(
  { step: first }: Pick<EngineState, 'step'>,
  samples: EncodedSamples,
  run: Run,
): readonly KeptStep[] {
  const { order = rowsInOrder(samples.count), minibatch, keepsWindows = false } = run;
  return Array.from({ length: Math.ceil(order.length / minibatch) }, (_, step) => ({
    numberScale: run.numberScaleAt?.(first + step),
    labelScale: run.labelScaleAt?.(first + step),
    rows: order
      .subarray(step * minibatch, keepsWindows ? step * minibatch : (step + 1) * minibatch)
      .filter((row) => (samples.weights[row] ?? 0) > 0),
  }));
}
