import type * as tf from '@tensorflow/tfjs';
import { invalid } from '../errors.ts';
import { outputCount } from '../features/task.ts';
import { limits } from '../limits.ts';
import type { Spec } from '../spec/spec.ts';
import type { MaskSource } from './dropout.ts';
import type { Tables } from './tables.ts';

/** Where the columns of one input of the network come from. */
export type NetworkInput = {
  readonly name: string;
  readonly kind: 'numbers' | 'category';
  /** Its place among the views of standardised numbers; the usual ones unless given. */
  readonly view?: number;
  /** The first column, and how many. */
  readonly offset: number;
  readonly width: number;
  /** The shape of one row, without the minibatch dimension. */
  readonly shape: readonly number[];
};

/** A tfjs Layers model that ends in logits (or values, in a regression), [minibatch, outputs]. */
export type Network = {
  readonly layersModel: tf.LayersModel;
  readonly inputs: readonly NetworkInput[];
  readonly outputs: number;
  /** Whether a row's output depends on the other rows of its minibatch. */
  readonly mixesRows: boolean;
  /** Where its dropout draws; an engine sets it before a step. */
  readonly masks: MaskSource;
  /** Its tables, of which a step changes the touched rows alone; none in models of before 0.6. */
  readonly tables?: Tables;
};

/** A network before its dropout has a source. */
export type BareNetwork = Omit<Network, 'masks' | 'mixesRows' | 'tables'>;

/** Outputs of the network: one for each class, or for each number of a label. */
export function outputsOf(spec: Spec): number {
  return outputCount(spec.label);
}

/** @throws MillraceError kind `invalid` if a network has more parameters than are allowed */
export function assertParameters({ network }: Pick<Spec, 'network'>, parameters: number): void {
  if (parameters <= limits.parameters) return;
  const what = 'topology' in network ? 'spec.network.topology' : 'spec.network';
  throw invalid(
    `${what}: at most ${limits.parameters} parameters are allowed (found ${parameters})`,
  );
}
