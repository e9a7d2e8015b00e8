/** Names of a step's inputs and outputs; weights and slots have those of the state. */
export const stepNames = {
  input: (index: number) => `input/${index}`,
  labels: 'labels',
  shares: 'shares',
  /** Coefficients of the optimizer, []. */
  rate: 'rate',
  epsilon: 'epsilon',
  decay: 'decay',
  /** All trainable parameters as one vector, where the optimizer has slots over them. */
  parameters: 'parameters',
  /** A slot of the optimizer over all trainable parameters, or over those of one weight. */
  slot: (slot: string, weight = '') => `optimizer/${slot}${weight === '' ? '' : `:${weight}`}`,
  /** What a weight's loss has as its gradient, and which rows of a table it comes from, [rows, 1]. */
  gradient: (weight: string) => `gradient/${weight}`,
  touched: (weight: string) => `touched/${weight}`,
  /** Masks of dropout, in the order in which the layers draw them. */
  mask: (index: number) => `mask/${index}`,
  /** Predictions, [minibatch, outputs]; in a run, [steps, minibatch, outputs]. */
  output: 'output',
  /** The loss of a training step, []; in a run, [steps]. */
  loss: 'loss',
} as const;

/**
 * Names of what a run has beside its steps; the state's tensors come in and go out under their own
 * names.
 */
export const runNames = {
  numbers: 'samples/numbers',
  categories: 'samples/categories',
  /** Rows of the samples, [steps, minibatch]. */
  order: 'order',
} as const;

/**
 * The input of a run that has an input of the step for all steps, [steps, elements of one step].
 */
export function perStepName(name: string): string {
  return `all/${name}`;
}

/** The output that a tensor of the state comes out under. */
export function nextName(name: string): string {
  return `next/${name}`;
}
