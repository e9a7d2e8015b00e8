import { limits } from '../../limits.ts';
import { coefficientNames } from '../../network/coefficients.ts';
import type { Network } from '../../network/network.ts';
import { type Optimizer, optimizerOf } from '../../network/optimizers.ts';
import type { Spec } from '../../spec/spec.ts';
import { elementBytes } from '../../wasm/instructions.ts';
import { flushSlots } from '../rewrite/flush-slots.ts';
import { rewrite } from '../rewrite/rewrite.ts';
import { variablesByName } from '../step.ts';
import { stepNames } from '../trace/step-names.ts';
import { isFlat } from '../trace/trace.ts';
import { type Trained, traceUpdate } from '../trace/trace-apart.ts';
import { stateParts, wholeInput } from '../wasm/compile.ts';
import { emitProgram, type Program } from '../wasm/program.ts';

/**
 * Whether a model's optimizer runs on WebAssembly, behind gradients of ONNX Runtime: it goes over
 * weights and slots once, where operators of ONNX go over them once each. For few weights the calls
 * between the two would take longer.
 *
 * @param from weights from which on it does
 */
export function isUpdatedApart(
  { revision = 0 }: Spec,
  { layersModel }: Network,
  optimizer: Optimizer,
  from: number = limits.apartElements,
): boolean {
  const weights = [...variablesByName(layersModel.trainableWeights).values()];
  const size = weights.reduce((sum, weight) => sum + weight.size, 0);
  // Weights and gradients, and each slot; a gibibyte is left for all else.
  const bytes = size * elementBytes * (2 + Object.keys(optimizer.slots).length);
  const fits = bytes <= limits.wasmMemoryBytes / 2;
  return revision >= 15 && isFlat(optimizer) && size >= from && fits;
}

/**
 * Compiles the update of a model's weights and slots by gradients, which lie in its memory beside
 * the state, under the names of {@link stepNames}.
 *
 * @param network is disposed
 */
export function compileUpdate(spec: Spec, network: Network, trained: readonly Trained[]): Program {
  const optimizer = optimizerOf(spec.optimizer);
  const coefficients = coefficientNames(spec.optimizer);
  const given = trained.flatMap(({ name, shape, touched }) => [
    { name: stepNames.gradient(name), shape },
    ...(touched ? [{ name: stepNames.touched(name), shape: [shape[0] ?? 1, 1] }] : []),
  ]);
  const states = [
    ...stateParts(network, optimizer),
    ...given.map((part) => ({ name: part.name, parts: [part] })),
  ];
  const traced = traceUpdate(spec, network, optimizer, trained);
  const graph = rewrite(flushSlots(traced), new Set(coefficients), { engine: 'wasm' });
  return emitProgram(states, {
    update: {
      graph,
      inputs: coefficients.map((name) => wholeInput(name, 1)),
      result: stepNames.loss,
      minibatch: 1,
      isFused: false,
    },
  });
}
