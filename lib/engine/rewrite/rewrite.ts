import type { Graph } from '../trace/graph.ts';
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
/** Done once, in this order, before what is done for one engine alone. */
const fused: readonly Rewrite[] = [fuseBias, fuseDescent, removeDeadNodes, shareSubexpressions];
/** Done in the end. */
const final: readonly Rewrite[] = [
  removeDeadNodes,
  removeIdentities,
  shareSubexpressions,
  removeDeadNodes,
];
/** What pays on one engine alone. */
const ofEngine = { onnx: [scaleInputs, multiplyOnes], wasm: [] } satisfies Record<
  string,
  readonly Rewrite[]
>;

/**
 * Rounds after which repeating ends even if something could still be won, and before which it does
 * not.
 */
const rounds = { most: 8, least: 3 } as const;

/** Settings of {@link rewrite}. */
export type RewriteSettings = {
  /** The engine that runs it; onnx unless given. */
  readonly engine?: keyof typeof ofEngine;
  /** Is shown each rewrite and the graph after it. */
  readonly onRewrite?: (name: string, after: Graph) => void;
};

/**
 * Rewrites a traced step so that it runs fast; values stay what they are, up to the order of
 * additions.
 *
 * @param stepInputs inputs that the caller can give in any shape of the same size
 */
export function rewrite(
  graph: Graph,
  stepInputs: ReadonlySet<string>,
  { engine = 'onnx', onRewrite = () => undefined }: RewriteSettings = {},
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
  return apply(current, [...fused, ...ofEngine[engine], ...final]);
}
