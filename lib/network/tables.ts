import * as tf from '@tensorflow/tfjs';
import { allLayers } from './dropout.ts';

/**
 * The tables of a network, which are the weights of its Embedding layers. Rows that no sample of a
 * minibatch names change neither weights nor slots in its step, whatever the optimizer: as
 * PyTorch's SparseAdam has it.
 */
export type Tables = {
  /**
   * Runs a forward pass, and answers with what it made and the indices that it looked up in each
   * table, by the name of its variable. The indices are the caller's to dispose.
   */
  readonly watch: <Result>(forward: () => Result) => {
    readonly result: Result;
    readonly lookups: ReadonlyMap<string, readonly tf.Tensor[]>;
  };
  /**
   * Names of the variables of tables whose gradient may be other than 0 in rows that no sample with
   * a share looks up: by a penalty, or by the statistics of a minibatch that all of its rows enter.
   */
  readonly masked: ReadonlySet<string>;
};

/** Fields of tfjs' Embedding layer that its types do not declare. */
type Embedding = tf.layers.Layer & {
  readonly embeddings?: { readonly read: () => tf.Tensor };
  readonly embeddingsRegularizer?: unknown;
};

/** Finds the tables of a network, before its first forward pass. */
export function tablesOf({ layers }: tf.LayersModel, mixesRows: boolean): Tables {
  let lookups: Map<string, tf.Tensor[]> | undefined;
  const masked = new Set<string>();
  for (const layer of allLayers(layers) as readonly Embedding[]) {
    if (layer.getClassName() !== 'Embedding') continue;
    const call = layer.call.bind(layer);
    const name = () => (layer.embeddings?.read() as tf.Variable | undefined)?.name ?? '';
    if (mixesRows || layer.embeddingsRegularizer != null) masked.add(name());
    layer.call = (inputs, settings) => {
      const input = (Array.isArray(inputs) ? inputs[0] : inputs) as tf.Tensor;
      // Beyond the scope of the forward pass, which frees what it made.
      if (lookups !== undefined)
        lookups.set(name(), [...(lookups.get(name()) ?? []), tf.keep(input.clone())]);
      return call(inputs, settings);
    };
  }
  return {
    masked,
    watch(forward) {
      lookups = new Map();
      try {
        return { result: forward(), lookups };
      } finally {
        lookups = undefined;
      }
    },
  };
}

/**
 * Which rows of a table a minibatch touches, [rows, 1]: those that a sample with a share looks up.
 *
 * @param lookups indices, [minibatch, …] each
 * @param shares of the samples, [minibatch]
 */
export function touchedRows(
  lookups: readonly tf.Tensor[],
  shares: tf.Tensor1D,
  rows: number,
): tf.Tensor {
  const counts = lookups.map((indices) => {
    const [minibatch = 1] = indices.shape;
    const each = tf.cast(tf.greater(shares, 0), 'float32');
    const wide = tf.mul(
      tf.reshape(each, [minibatch, 1]),
      tf.ones([minibatch, indices.size / minibatch]),
    );
    const flat = tf.cast(tf.reshape(indices, [indices.size]), 'int32') as tf.Tensor1D;
    return tf.unsortedSegmentSum(tf.reshape(wide, [indices.size, 1]), flat, rows);
  });
  return tf.greater(
    counts.reduce((sum, count) => tf.add(sum, count)),
    0,
  );
}
