import * as tf from '@tensorflow/tfjs';
import { describe, expect, it } from 'vitest';
import { buildNetwork } from '../../lib/network/build-network.ts';
import { defineSpec } from '../../lib/spec/spec.ts';

const { layers } = tf;
const seeded = (seed: number) => tf.initializers.glorotUniform({ seed });
const dense = (units: number, activation?: 'softmax' | 'sigmoid' | 'relu', inputShape?: number[]) =>
  layers.dense({
    units,
    kernelInitializer: seeded(units),
    ...(activation && { activation }),
    ...(inputShape && { inputShape }),
  });
const inputs = () => tf.input({ shape: [5], name: 'numbers' });

/** A model of which another one is the last layer. */
function nested(last: tf.LayersModel): tf.LayersModel {
  const input = inputs();
  const hidden = dense(4, 'relu').apply(input) as tf.SymbolicTensor;
  return tf.model({ inputs: input, outputs: last.apply(hidden) as tf.SymbolicTensor });
}

/** A model whose last layer gets what some heads make of its input. */
function joined(
  heads: number,
  units: number,
  last: tf.layers.Layer,
  activation?: 'softmax' | 'sigmoid',
) {
  const input = inputs();
  const all = Array.from(
    { length: heads },
    () => dense(units, activation).apply(input) as tf.SymbolicTensor,
  );
  return tf.model({ inputs: input, outputs: last.apply(all) as tf.SymbolicTensor });
}

/** A model in which one layer is used inside, and at the end again. */
function twice(): tf.LayersModel {
  const input = inputs();
  const shared = dense(3, 'softmax');
  const first = shared.apply(dense(3).apply(input)) as tf.SymbolicTensor;
  return tf.model({ inputs: input, outputs: shared.apply(first) as tf.SymbolicTensor });
}

/** A nested model of two outputs, of which the second one is put out. */
function secondOf(): tf.LayersModel {
  const own = tf.input({ shape: [4] });
  const outputs = [dense(3, 'relu'), dense(3, 'softmax')].map(
    (layer) => layer.apply(own) as tf.SymbolicTensor,
  );
  const input = inputs();
  const hidden = dense(4, 'relu').apply(input) as tf.SymbolicTensor;
  const [, second] = tf.model({ inputs: own, outputs }).apply(hidden) as tf.SymbolicTensor[];
  return tf.model({ inputs: input, outputs: second as tf.SymbolicTensor });
}

/** A nested model that passes on one of its inputs; the other is a softmax. */
function gated(): tf.LayersModel {
  const own = [tf.input({ shape: [3], name: 'gate' }), tf.input({ shape: [3], name: 'logits' })];
  const [gate, logits] = own as [tf.SymbolicTensor, tf.SymbolicTensor];
  const product = layers.multiply().apply([gate, logits]) as tf.SymbolicTensor;
  const outputs = [layers.dropout({ rate: 0.1 }).apply(logits) as tf.SymbolicTensor, product];
  const input = inputs();
  const [first] = tf
    .model({ inputs: own, outputs })
    .apply([dense(3, 'softmax').apply(input), dense(3).apply(input)] as tf.SymbolicTensor[]) as [
    tf.SymbolicTensor,
  ];
  return tf.model({ inputs: input, outputs: first });
}

function endingIn(...last: tf.layers.Layer[]): tf.LayersModel {
  return tf.sequential({ layers: [dense(4, 'relu', [5]), ...last] });
}

function specOf(task: 'binary' | 'multiclass' | 'regression', model: tf.LayersModel) {
  return defineSpec({
    model: 'topologies',
    task,
    features: { a: { type: 'vector', length: 5 } },
    ...(task === 'multiclass' && { label: { classes: ['x', 'y', 'z'] } }),
    network: { topology: model.toJSON(null, false) as never },
  });
}

describe('the activation at the end of a topology', () => {
  it.each<[string, 'binary' | 'multiclass', tf.LayersModel]>([
    ['of a layer', 'multiclass', endingIn(dense(3, 'softmax'))],
    ['none', 'multiclass', endingIn(dense(3), layers.reshape({ targetShape: [3] }))],
    ['a layer of softmax', 'multiclass', endingIn(dense(3), layers.softmax())],
    [
      'a layer of softmax, of axis 1',
      'multiclass',
      endingIn(dense(3), layers.softmax({ axis: 1 })),
    ],
    [
      'a layer of any activation',
      'binary',
      endingIn(dense(1), layers.activation({ activation: 'sigmoid' })),
    ],
    [
      'of a nested model',
      'multiclass',
      nested(tf.sequential({ layers: [dense(3, 'softmax', [4])] })),
    ],
    [
      'a layer of softmax in a nested model',
      'multiclass',
      nested(tf.sequential({ layers: [dense(3, undefined, [4]), layers.softmax()] })),
    ],
    [
      'of a model in a nested model',
      'binary',
      nested(tf.sequential({ layers: [tf.sequential({ layers: [dense(1, 'sigmoid', [4])] })] })),
    ],
    ['of the second output of a nested model', 'multiclass', secondOf()],
    ['the logits beside a softmax that is used inside', 'multiclass', gated()],
    ['a sum of layers', 'multiclass', joined(2, 3, layers.add())],
  ])('is taken off: %s', async (name, task, model) => {
    const { layersModel } = await buildNetwork(specOf(task, model));
    layersModel.setWeights(model.getWeights());
    const x = tf.tensor2d([[1, -2, 0.5, 3, -1]]);
    const logits = layersModel.predict(x) as tf.Tensor;
    const own = task === 'binary' ? tf.sigmoid(logits) : tf.softmax(logits);
    const said = model.predict(x) as tf.Tensor;
    const hasNone = ['none', 'a sum of layers'].includes(name) || name.startsWith('the logits');
    const expected = hasNone ? tf.softmax(said) : said;
    expect(Array.from(own.dataSync())).toEqual(
      Array.from(expected.dataSync(), (each) => expect.closeTo(each, 5)),
    );
  });

  it.each<[string, 'binary' | 'multiclass' | 'regression', tf.LayersModel, RegExp]>([
    ['another', 'binary', endingIn(dense(1, 'relu')), /must be sigmoid or linear .*found "relu"/],
    ['a layer of another', 'binary', endingIn(dense(1), layers.reLU()), /found "ReLU"/],
    ['one of another task', 'regression', endingIn(dense(1), layers.softmax()), /found "softmax"/],
    [
      'a softmax of classes apart',
      'binary',
      endingIn(dense(1), layers.softmax()),
      /sigmoid or linear/,
    ],
    [
      'a recurrent one',
      'binary',
      endingIn(
        layers.reshape({ targetShape: [2, 2] }),
        layers.lstm({ units: 1, activation: 'sigmoid' }),
      ),
      /found "sigmoid of LSTM"/,
    ],
    [
      'one that is wrapped',
      'binary',
      endingIn(
        layers.reshape({ targetShape: [2, 2] }),
        layers.bidirectional({
          layer: layers.gru({ units: 1 }) as tf.RNN,
          mergeMode: 'sum',
        }),
      ),
      /found "tanh of GRU"/,
    ],
    [
      'one behind which layers pass on',
      'multiclass',
      endingIn(
        dense(3, 'softmax'),
        layers.dropout({ rate: 0.1 }),
        layers.reshape({ targetShape: [3] }),
      ),
      /behind the softmax of "dense_[^"]*"; what comes out is taken for what stands before softmax/,
    ],
    [
      'a mean of some',
      'multiclass',
      joined(2, 3, layers.average(), 'softmax'),
      /behind the softmax of/,
    ],
    [
      'a mean over places',
      'multiclass',
      tf.sequential({
        layers: [
          layers.reshape({ targetShape: [5, 1], inputShape: [5] }),
          layers.conv1d({ filters: 3, kernelSize: 2, activation: 'softmax' }),
          layers.globalAveragePooling1d({}),
        ],
      }),
      /behind the softmax of/,
    ],
    [
      'one behind which a nested model passes on',
      'multiclass',
      endingIn(
        dense(3, 'softmax'),
        tf.sequential({ layers: [layers.dropout({ rate: 0.1, inputShape: [3] })] }),
      ),
      /behind the softmax of/,
    ],
    ['a sum of some', 'multiclass', joined(2, 3, layers.add(), 'softmax'), /behind the softmax of/],
    ['a layer that is used before, too', 'multiclass', twice(), /is of a layer that is used more/],
    [
      'one behind which nothing happens',
      'multiclass',
      endingIn(dense(3, 'softmax'), layers.activation({ activation: 'linear' })),
      /behind the softmax of/,
    ],
    [
      'some side by side',
      'multiclass',
      joined(3, 1, layers.concatenate(), 'sigmoid'),
      /behind the sigmoid of/,
    ],
  ])('is refused where it cannot be taken off: %s', async (_, task, model, reason) => {
    await expect(buildNetwork(specOf(task, model))).rejects.toThrow(reason);
  });

  it('stays what it was taken for in models of earlier releases', async () => {
    const spec = { ...specOf('multiclass', endingIn(dense(3), layers.softmax())), revision: 15 };
    const { layersModel } = await buildNetwork(spec);
    expect(layersModel.layers.at(-1)?.getClassName()).toBe('Softmax');
  });
});
