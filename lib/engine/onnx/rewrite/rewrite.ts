import type { Graph } from '../graph.ts';
import { removeDeadNodes, shareSubexpressions } from './clean.ts';
import { fuseBias, fuseDescent, scaleInputs } from './gemm.ts';
import { removeIdentities } from './identities.ts';
import { reshapeInputs, sinkReshapes } from './reshapes.ts';

/** Rounds after which rewriting ends even if something could still be won. */
const rounds = 8;

/**
 * Rewrites a traced step so that it runs fast; values stay what they are, up to the order of additions.
 *
 * @param stepInputs inputs that the caller can give in any shape of the same size
 */
export function rewrite(graph: Graph, stepInputs: ReadonlySet<string>): Graph {
  let current = removeDeadNodes(graph);
  for (let round = 0; round < rounds; round++) {
    const before = current.nodes.length;
    current = removeDeadNodes(shareSubexpressions(removeIdentities(sinkReshapes(current, stepInputs))));
    current = removeDeadNodes(reshapeInputs(current, stepInputs));
    if (round > 1 && current.nodes.length === before) break;
  }
  current = shareSubexpressions(removeDeadNodes(fuseDescent(fuseBias(current))));
  current = removeDeadNodes(scaleInputs(current, stepInputs));
  return removeDeadNodes(shareSubexpressions(removeIdentities(current)));
}
