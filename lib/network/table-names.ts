/**
 * The names in a state of the tables that a feature of a generated network has: of its embedding,
 * and of the linear model beside hidden layers.
 */
export function tableNames(feature: string): readonly string[] {
  return ['', 'wide_'].map((prefix) => `weights/${prefix}embedding_${feature}/embeddings`);
}
