import type * as tf from '@tensorflow/tfjs';
import { type Loss, valuesOf } from './loss.ts';

/**
 * Probabilities are kept this far from 0 and 1 when a log loss is computed from float32
 * predictions.
 */
const smallestProbability = 1e-7;

/**
 * −log of the probability of the true class; from one logit for true, or from one for each class.
 */
export const crossEntropy: Loss = {
  ofOutput(tfjs, output, labels) {
    return output.shape[1] === 1
      ? ofOneLogit(tfjs, valuesOf(tfjs, output), labels)
      : ofClasses(tfjs, output as tf.Tensor2D, labels);
  },
  ofPrediction({ predictions, row, outputs }, label) {
    // A class that is not known has no output, and no share.
    if (label < 0) return negativeLog(0);
    if (outputs > 1) return negativeLog(predictions[row * outputs + label] ?? 0);
    const probability = predictions[row] ?? 0;
    return negativeLog(label === 1 ? probability : 1 - probability);
  },
};

function negativeLog(probability: number): number {
  return -Math.log(Math.max(probability, smallestProbability));
}

/**
 * −y log σ(z) − (1−y) log(1−σ(z)) = max(z, 0) − y z + log(1 + e^−|z|), which never overflows. Its
 * gradient is σ(z) − y, given as such: tfjs would derive it term by term.
 */
function ofOneLogit(tfjs: typeof tf, logits: tf.Tensor1D, labels: tf.Tensor1D): tf.Tensor1D {
  return withGradient(tfjs, logits, {
    value: (z) =>
      tfjs.add(
        tfjs.sub(tfjs.relu(z), tfjs.mul(z, labels)),
        tfjs.log1p(tfjs.exp(tfjs.neg(tfjs.abs(z)))),
      ),
    gradient: (dy, z) => tfjs.mul(tfjs.sub(tfjs.sigmoid(z), labels), dy),
  });
}

/** −log softmax(z)[y]; its gradient is softmax(z) − onehot(y). */
function ofClasses(tfjs: typeof tf, logits: tf.Tensor2D, labels: tf.Tensor1D): tf.Tensor1D {
  const oneHot = () =>
    tfjs.cast(tfjs.oneHot(tfjs.cast(labels, 'int32'), logits.shape[1]), 'float32');
  return withGradient(tfjs, logits, {
    value: (z) => tfjs.neg(tfjs.sum(tfjs.mul(tfjs.logSoftmax(z), oneHot()), 1)),
    gradient: (dy, z) => tfjs.mul(tfjs.sub(tfjs.softmax(z), oneHot()), tfjs.reshape(dy, [-1, 1])),
  });
}

/** A function of one tensor with a gradient of its own; what it computes on the way is freed. */
function withGradient(
  tfjs: typeof tf,
  x: tf.Tensor,
  {
    value,
    gradient,
  }: {
    readonly value: (x: tf.Tensor) => tf.Tensor;
    readonly gradient: (dy: tf.Tensor, x: tf.Tensor) => tf.Tensor;
  },
): tf.Tensor1D {
  return tfjs.customGrad((argument, save) => {
    const z = argument as tf.Tensor;
    (save as tf.GradSaveFunc)([z]);
    return { value: value(z), gradFunc: (dy, [saved]) => gradient(dy, saved ?? z) };
  })(x) as tf.Tensor1D;
}
