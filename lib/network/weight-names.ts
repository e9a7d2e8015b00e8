/**
 * What stands for a feature in the names of layers: what is no letter, digit or underscore of ASCII
 * as its UTF-8 between hyphens, since tfjs would refuse it.
 */
export function layerPartOf(feature: string): string {
  return feature.replace(/[^A-Za-z0-9_]/gu, (odd) => `-${Buffer.from(odd).toString('hex')}-`);
}

/** What the input of a category is called in a generated network. */
export function categoryInput(feature: string): string {
  return `category_${layerPartOf(feature)}`;
}

/**
 * The names in a state of the tables that a category of a generated network has: of its embedding,
 * and of the linear model beside hidden layers.
 *
 * @param input as the network calls it
 */
export function tablesOfInput(input: string): readonly string[] {
  const part = input.replace(/^category_/, '');
  return ['', 'wide_'].map((prefix) => `weights/${prefix}embedding_${part}/embeddings`);
}

/** The slot that says how far the average of each weight is behind it. */
export const behindSlot = 'behind';

/** Whether a tensor of a state is that slot, of a network or of an expert. */
export function isAverage(name: string): boolean {
  return name.startsWith('optimizer/') && name.endsWith(`/${behindSlot}`);
}

/** The layer of a generated network whose weights stay as its spec and its seed have them. */
export const fourierLayer = 'fourier';
/** The same of what cuts the lines of numbers. */
export const piecewiseLayer = 'piecewise_linear';
/** The layer of products of numbers, which has no weights. */
export const quadraticLayer = 'quadratic';
/** Those that pick the factors, whose weights stay too. */
export const quadraticSides = [`${quadraticLayer}_left`, `${quadraticLayer}_right`] as const;

const fixedLayers = [fourierLayer, piecewiseLayer, ...quadraticSides].join('|');
const fixedWeight = new RegExp(`^weights/(expert_\\d+/)?(${fixedLayers})/`);

/** Whether a step changes a weight of a generated network, by its name in a state. */
export function isTrained(name: string): boolean {
  return !fixedWeight.test(name);
}
