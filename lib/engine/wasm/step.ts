import { FunctionBuilder } from '../../wasm/assembler.ts';
import { type Graph, valuesOf } from '../trace/graph.ts';
import { operandType } from './elementwise.ts';
import { emitElementwise } from './emit-elementwise.ts';
import { lower } from './lower.ts';
import type { Memory } from './memory.ts';
import { emitOperator } from './operators.ts';
import { createPlan, type StepParts } from './plan.ts';

/**
 * The kernels of a step, as functions to be called in this order.
 *
 * @throws UntraceableError if an operator has no kernel
 */
export function emitStep(memory: Memory, parts: StepParts): FunctionBuilder[] {
  const graph = withOperandTypes(lower(parts.graph));
  const plan = createPlan(memory, { ...parts, graph });
  return plan.schedule.kernels.map((kernel) => {
    const f = new FunctionBuilder({ isFused: parts.isFused });
    if (kernel.isElementwise) emitElementwise(f, kernel, plan);
    else emitOperator(f, kernel.nodes[0], plan);
    return f;
  });
}

/** The attribute that comparisons and casts take, put into a graph's nodes. */
function withOperandTypes(graph: Graph): Graph {
  const values = valuesOf(graph);
  return {
    ...graph,
    nodes: graph.nodes.map((node) => {
      const [first = ''] = node.inputs;
      const type = values.get(node.op === 'Where' ? (node.inputs[1] ?? '') : first)?.type;
      const known = type === 'int64' || type === 'int32' ? 'int32' : (type ?? 'float32');
      return { ...node, attributes: { ...node.attributes, [operandType]: known } };
    }),
  };
}
