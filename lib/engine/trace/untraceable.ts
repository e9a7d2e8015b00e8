/** A kernel that the trace cannot express; the model falls back to the tfjs engine. */
export class UntraceableError extends Error {
  constructor(reason: string) {
    super(reason);
    this.name = 'UntraceableError';
  }
}
