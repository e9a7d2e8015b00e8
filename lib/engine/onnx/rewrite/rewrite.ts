import type { Graph } from '../graph.ts';
import { removeDeadNodes, shareSubexpressions } from './clean.ts';
import { fuseBias, fuseDescent, multiplyOnes, scaleInputs } from './gemm.ts';
import { removeIdentities } from './identities.ts';
import { sinkReshapes } from './reshapes.ts';

/**
 * Changes a graph so that it computes the same values faster.
 *
 * @param stepInputs inputs that the caller can give in any shape of the same size
 */
export type Rewrite = (graph: Graph, stepInputs: ReadonlySet<string>) => Graph;

/** Repeated while they leave something out: one makes room for another. */
const repeated: readonly Rewrite[] = [
  sinkReshapes,
  removeIdentities,
  shareSubexpressions,
  removeDeadNodes,
];
/** Done once, in this order. */
const final: readonly Rewrite[] = [
  fuseBias,
  fuseDescent,
  removeDeadNodes,
  shareSubexpressions,
  scaleInputs,
  multiplyOnes,
  removeDeadNodes,
  removeIdentities,
  shareSubexpressions,
  removeDeadNodes,
];

/**
 * Rounds after which repeating ends even if something could still be won, and before which it does
 * not.
 */
const rounds = { most: 8, least: 3 } as const;

/**
 * Rewrites a traced step so that it runs fast; values stay what they are, up to the order of
 * additions.
 *
 * @param stepInputs inputs that the caller can give in any shape of the same size
 * @param onRewrite is shown each rewrite and the graph after it
 */
export function rewrite(
  graph: Graph,
  stepInputs: ReadonlySet<string>,
  onRewrite: (name: string, after: Graph) => void = () => undefined,
): Graph {
  const apply = (before: Graph, rewrites: readonly Rewrite[]) =>
    rewrites.reduce((current, each) => {
      const after = each(current, stepInputs);
      onRewrite(each.name, after);
      return after;
    }, before);
  let current = apply(graph, [removeDeadNodes]);
  for (let round = 0; round < rounds.most; round++) {
    const before = current.nodes.length;
    current = apply(current, repeated);
    if (round + 1 >= rounds.least && current.nodes.length === before) break;
  }
  return apply(current, final);
}
