import { limits } from '../../limits.ts';
import { FunctionBuilder } from '../../wasm/assembler.ts';
import { elementBytes } from '../../wasm/instructions.ts';
import { encodeModule } from '../../wasm/module.ts';
import { type Graph, sizeOf, type Value } from '../trace/graph.ts';
import { UntraceableError } from '../trace/untraceable.ts';
import { copyElements, stridesOf } from './loops.ts';
import { Memory } from './memory.ts';
import { emitStep } from './step.ts';

/** An input of a step, as columns of what a call gives for all its steps. */
export type StepInput = {
  readonly name: string;
  /** The name of the array that has it for all steps, [steps, rows, row]. */
  readonly array: string;
  /** Rows of one step, elements of one row of the array, and which of them it takes. */
  readonly rows: number;
  readonly row: number;
  readonly offset: number;
  readonly width: number;
};

/** A step, and what a call of many steps gives and takes. */
export type ProgramStep = {
  readonly graph: Graph;
  readonly inputs: readonly StepInput[];
  /** The output that is kept for each step. */
  readonly result: string;
  readonly minibatch: number;
  /** The input that says which samples count. */
  readonly shares?: string;
  /** Whether products of matrices add up without rounding each term. */
  readonly isFused: boolean;
};

/** Where a call finds the arrays of its steps and leaves its results, and how many steps it has. */
export type CallLayout = {
  readonly steps: number;
  readonly minibatch: number;
  /** Addresses of the arrays by name, and elements of one step. */
  readonly arrays: Readonly<Record<string, { readonly address: number; readonly size: number }>>;
  readonly result: { readonly address: number; readonly size: number };
};

/** A module, and where everything lies in its memory. */
export type Program = {
  readonly module: Uint8Array;
  /** Addresses of the state's parts, [elements] each. */
  readonly states: Readonly<Record<string, { readonly address: number; readonly size: number }>>;
  /** What its exports `train` and `predict` take. */
  readonly calls: Readonly<Record<string, CallLayout>>;
};

/** Elements that the arrays of one call have at most (1 MiB), so that they stay in a cache. */
const elementsPerCall = 262_144;
/** Steps of one call at most. */
const stepsPerCall = 4_096;

/**
 * A module with a function for each of some steps, which does as many of them as its argument says.
 *
 * @param states parts of the state, of which each lies in one piece; other inputs may be parts of
 *   them
 * @throws UntraceableError if an operator has no kernel
 */
export function emitProgram(
  states: readonly StatePart[],
  steps: Readonly<Record<string, ProgramStep>>,
): Program {
  const memory = new Memory();
  const functions: FunctionBuilder[] = [];
  const places: Record<string, { address: number; size: number }> = {};
  const addresses = new Map<string, number>();
  for (const { name, parts } of states) {
    const size = parts.reduce((sum, part) => sum + sizeOf(part.shape), 0);
    let address = memory.allocate(size * elementBytes);
    places[name] = { address, size };
    for (const part of parts) {
      addresses.set(part.name, address);
      address += sizeOf(part.shape) * elementBytes;
    }
  }
  const exported: Record<string, number> = {};
  const calls: Record<string, CallLayout> = {};
  for (const [name, step] of Object.entries(steps)) {
    calls[name] = emitCall({ memory, functions, states: addresses }, step);
    exported[name] = functions.length - 1;
  }
  if (memory.size > limits.wasmMemoryBytes) {
    const mebibytes = Math.ceil(memory.size / 1_048_576);
    throw new UntraceableError(`a step needs ${mebibytes} MiB of the memory of WebAssembly`);
  }
  const module = encodeModule({
    functions,
    exports: exported,
    // What is loaded four elements at a time may read past the end.
    memoryBytes: memory.size + 64,
    segments: memory.segments,
  });
  return { module, states: places, calls };
}

/** A part of the state, and what lies in it one after another. */
export type StatePart = {
  readonly name: string;
  readonly parts: readonly { readonly name: string; readonly shape: readonly number[] }[];
};

type Surroundings = {
  readonly memory: Memory;
  readonly functions: FunctionBuilder[];
  readonly states: ReadonlyMap<string, number>;
};

/** Emits the kernels of a step, and last the function that calls them step by step. */
function emitCall({ memory, functions, states }: Surroundings, step: ProgramStep): CallLayout {
  const taken = new Map(step.graph.inputs.map((input) => [input.name, input]));
  const inputs = step.inputs.filter(({ name }) => taken.has(name));
  const output = step.graph.outputs.get(step.result);
  const resultSize = sizeOf(output?.shape ?? []);
  const sizes = new Map(step.inputs.map(({ array, rows, row }) => [array, rows * row]));
  const elements = [...sizes.values()].reduce((sum, size) => sum + size, resultSize);
  const count = Math.max(1, Math.min(stepsPerCall, Math.floor(elementsPerCall / elements)));
  const arrays = Object.fromEntries(
    [...sizes].map(([name, size]) => [
      name,
      { address: memory.allocate(count * size * elementBytes), size },
    ]),
  );
  const result = {
    address: memory.allocate(count * resultSize * elementBytes),
    size: resultSize,
  };
  const addresses = new Map(states);
  for (const { name, rows, width } of inputs)
    addresses.set(name, memory.allocate(rows * width * elementBytes));
  const kept = memory.allocate(resultSize * elementBytes);
  const kernels = emitStep(memory, {
    graph: step.graph,
    inputs: addresses,
    outputs: new Map([[step.result, kept]]),
    shares: addresses.get(step.shares ?? ''),
    minibatch: step.minibatch,
    isFused: step.isFused,
  });
  const first = functions.length;
  const take = takeInputs(inputs, arrays, addresses);
  functions.push(
    take,
    ...kernels,
    keepResult(output, kept, result),
    new FunctionBuilder({ parameters: 1 }),
  );
  const run = functions.at(-1);
  const keep = functions.length - 2;
  if (run !== undefined) {
    const done = run.local('i32');
    run.repeatWhile(0, () => {
      run.call(first, done);
      for (let i = 0; i < kernels.length; i++) run.call(first + 1 + i);
      run.call(keep, done);
      run.add(done, 1);
    });
  }
  return { steps: count, minibatch: step.minibatch, arrays, result };
}

/** A function that copies the inputs of a step, by its number, to where its kernels find them. */
function takeInputs(
  inputs: readonly StepInput[],
  arrays: CallLayout['arrays'],
  addresses: ReadonlyMap<string, number>,
): FunctionBuilder {
  const f = new FunctionBuilder({ parameters: 1 });
  for (const { name, array, rows, row, offset, width } of inputs) {
    const { address = 0, size = 0 } = arrays[array] ?? {};
    const origin = f.local('i32');
    f.multiply(origin, 0, size * elementBytes);
    const strides = [row * elementBytes, elementBytes];
    copyElements(f, [rows, width], {
      from: { address: address + offset * elementBytes, strides, origin },
      to: { address: addresses.get(name) ?? 0, strides: stridesOf([rows, width]) },
    });
  }
  return f;
}

/** A function that keeps the result of a step, by its number. */
function keepResult(
  output: Value | undefined,
  from: number,
  { address, size }: CallLayout['result'],
): FunctionBuilder {
  const f = new FunctionBuilder({ parameters: 1 });
  const origin = f.local('i32');
  f.multiply(origin, 0, size * elementBytes);
  const shape = output?.shape ?? [];
  const strides = stridesOf(shape);
  const to = { address, strides, origin };
  copyElements(f, shape, { from: { address: from, strides }, to });
  return f;
}
