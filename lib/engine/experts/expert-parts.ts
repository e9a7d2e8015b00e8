import type { CompiledModel, EngineState, Tensor, Tensors, Work } from '../engine.ts';

/** Tensors of an expert under their names in the whole state: `weights/<expert>/…`. */
export function named(expert: string, tensors: Tensors): Tensors {
  const own: Record<string, Tensor> = {};
  for (const [name, tensor] of Object.entries(tensors)) {
    const end = name.indexOf('/');
    own[`${name.slice(0, end)}/${expert}${name.slice(end)}`] = tensor;
  }
  return own;
}

/** The part of a state that is an expert's, under the names that it has on its own. */
export function partOf({ tensors, ...state }: EngineState, expert: string): EngineState {
  const parts = partsIn.get(tensors) ?? partsBetween(tensors);
  partsIn.set(tensors, parts);
  return { ...state, tensors: parts.get(expert) ?? {} };
}

/** Each state is taken apart once: whoever asks for one of its parts asks for all. */
const partsIn = new WeakMap<Tensors, ReadonlyMap<string, Tensors>>();

/** Tensors by what stands between the first and the second slash of their names, without it. */
function partsBetween(tensors: Tensors): ReadonlyMap<string, Tensors> {
  const parts = new Map<string, Record<string, Tensor>>();
  for (const [name, tensor] of Object.entries(tensors)) {
    const start = name.indexOf('/');
    const end = name.indexOf('/', start + 1);
    if (end < 0) continue;
    const expert = name.slice(start + 1, end);
    const own = parts.get(expert) ?? {};
    parts.set(expert, own);
    own[name.slice(0, start) + name.slice(end)] = tensor;
  }
  return parts;
}

/** What is said of models as of one; one without an engine has the same bits by all. */
export function wholeOf(
  networks: readonly CompiledModel[],
): Pick<CompiledModel, 'engine' | 'why' | 'work'> {
  const engines = networks.map((each) => each.engine).filter((each) => each !== '');
  const engine = [...new Set(engines)].join('+');
  const sumOf = (of: (work: Work) => number) =>
    networks.reduce((sum, { work }) => sum + of(work), 0);
  const work = {
    predicted: sumOf(({ predicted }) => predicted),
    learnt: sumOf(({ learnt }) => learnt),
    step: sumOf(({ step }) => step),
  };
  const [why, ...others] = new Set(networks.flatMap((network) => network.why ?? []));
  const more = others.length === 0 ? '' : ` (and ${others.length} more of the experts like it)`;
  return { engine, work, ...(why !== undefined && { why: why + more }) };
}
