import type { Graph, Node, Value } from '../trace/graph.ts';

/** The smallest normal float32. */
const smallestNormal = 2 ** -126;

/**
 * Puts 0 for what is closer to it than a normal number into the slots of an optimizer. Slots of
 * parameters without a gradient would decay into denormal numbers, on which processors take many
 * times as long. (A processor can be told to do so by itself; that changes all other arithmetic of
 * the process too.)
 */
export function flushSlots(graph: Graph): Graph {
  const nodes: Node[] = [...graph.nodes];
  const outputs = new Map(graph.outputs);
  const attributes = { lambd: { float: smallestNormal }, bias: { float: 0 } };
  for (const [name, value] of graph.outputs) {
    if (!name.startsWith('optimizer/') || value.name === name) continue;
    const flushed: Value = { ...value, name: `${value.name}_flushed` };
    nodes.push({ op: 'Shrink', inputs: [value.name], outputs: [flushed], attributes });
    outputs.set(name, flushed);
  }
  return { ...graph, nodes, outputs };
}
