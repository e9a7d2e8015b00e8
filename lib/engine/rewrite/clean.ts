import { type Constant, type Graph, type Node, replaceValues, type Value } from '../trace/graph.ts';

/** Leaves out nodes and constants that no output needs. */
export function removeDeadNodes(graph: Graph): Graph {
  const needed = new Set([...graph.outputs.values()].map(({ name }) => name));
  const nodes: Node[] = [];
  for (const node of graph.nodes.toReversed()) {
    if (!node.outputs.some(({ name }) => needed.has(name))) continue;
    nodes.push(node);
    for (const name of node.inputs) needed.add(name);
  }
  return {
    ...graph,
    nodes: nodes.reverse(),
    constants: new Map([...graph.constants].filter(([name]) => needed.has(name))),
  };
}

/**
 * Computes each value once: equal constants are one, and so are nodes with equal inputs and
 * attributes.
 */
export function shareSubexpressions(graph: Graph): Graph {
  const replaced = new Map<string, Value>();
  const constants = new Map<string, Constant>();
  const byContent = new Map<string, Constant>();
  for (const constant of graph.constants.values()) {
    if (constant.data.length <= largestSharedConstant) {
      const content = textOf([constant.type, constant.shape, [...constant.data]]);
      const same = byContent.get(content);
      if (same !== undefined) {
        replaced.set(constant.name, same);
        continue;
      }
      byContent.set(content, constant);
    }
    constants.set(constant.name, constant);
  }
  const byMeaning = new Map<string, Node>();
  const nodes: Node[] = [];
  for (const original of graph.nodes) {
    const node = {
      ...original,
      inputs: original.inputs.map((name) => replaced.get(name)?.name ?? name),
    };
    const meaning = textOf([node.op, node.domain, node.inputs, node.attributes]);
    const same = byMeaning.get(meaning);
    if (same === undefined) {
      byMeaning.set(meaning, node);
      nodes.push(node);
    } else {
      node.outputs.forEach((output, i) => {
        const value = same.outputs[i];
        if (value !== undefined) replaced.set(output.name, value);
      });
    }
  }
  return replaceValues({ ...graph, nodes, constants }, replaced);
}

/** Larger constants are not compared: they are weights or zeros, and seldom the same. */
const largestSharedConstant = 65_536;

/** JSON that tells numbers apart for which JSON has no text. */
function textOf(value: unknown): string {
  return JSON.stringify(value, (_, each: unknown) =>
    typeof each === 'number' && (!Number.isFinite(each) || Object.is(each, -0))
      ? { number: Object.is(each, -0) ? '-0' : String(each) }
      : each,
  );
}
