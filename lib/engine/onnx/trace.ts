import * as tf from '@tensorflow/tfjs';
import { backendName, registerKernels } from './kernels/register.ts';
import { TraceBackend } from './trace-backend.ts';

/**
 * Runs `trace` with the trace backend in place of tfjs' own, in one turn of the event loop: nothing else sees it.
 *
 * @throws UntraceableError if a kernel cannot be expressed
 */
export function withTraceBackend<Result>(trace: (backend: TraceBackend) => Result): Result {
  registerKernels();
  const before = tf.getBackend();
  const backend = new TraceBackend();
  tf.registerBackend(backendName, () => backend);
  void tf.setBackend(backendName);
  tf.engine().startScope('trace');
  try {
    return trace(backend);
  } finally {
    tf.engine().endScope();
    void tf.setBackend(before);
    tf.removeBackend(backendName);
  }
}
