import * as tf from '@tensorflow/tfjs';

// As the engine does: without it, tfjs greets whoever uses it first.
tf.enableProdMode();
