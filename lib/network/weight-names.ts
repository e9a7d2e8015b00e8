/**
 * The names in a state of the tables that a feature of a generated network has: of its embedding,
 * and of the linear model beside hidden layers.
 */
export function tableNames(feature: string): readonly string[] {
  return ['', 'wide_'].map((prefix) => `weights/${prefix}embedding_${feature}/embeddings`);
}

/** The slot that says how far the average of each weight is behind it. */
export const behindSlot = 'behind';

/** Whether a tensor of a state is that slot, of a network or of an expert. */
export function isAverage(name: string): boolean {
  return name.startsWith('optimizer/') && name.endsWith(`/${behindSlot}`);
}

/** The layer of a generated network whose weights stay as its seed has them. */
export const fourierLayer = 'fourier';

const fourierWeight = new RegExp(`^weights/(expert_\\d+/)?${fourierLayer}/`);

/** Whether a step changes a weight of a generated network, by its name in a state. */
export function isTrained(name: string): boolean {
  return !fourierWeight.test(name);
}
