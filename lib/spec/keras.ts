import { whyOtherInTfjs } from './other-in-tfjs.ts';

type Json = Readonly<Record<string, unknown>>;

/** Says why a topology of Keras 3 would be another network in tfjs. */
class OtherInTfjs extends Error {}

/**
 * A topology as tfjs reads it, which is as Keras 2 wrote it. What Keras 3 wrote becomes that: in
 * it, objects carry the module of their class, types are policies, and a layer is called with
 * arguments instead of a list of tensors.
 *
 * @returns a text if tfjs would take it for another network
 */
export function asKeras2(topology: Json): Json | string {
  if (!isOfKeras3(topology)) return topology;
  const why = whyOtherInTfjs(topology);
  if (why !== undefined) return why;
  try {
    return plain(topology, nestedModels(topology)) as Json;
  } catch (error) {
    if (error instanceof OtherInTfjs) return error.message;
    throw error;
  }
}

/** What only Keras 3 writes, in one of its two formats. */
function isOfKeras3(topology: Json): boolean {
  return /"(batch_shape|registered_name|keras_history|build_config)":/.test(
    JSON.stringify(topology),
  );
}

/**
 * The names of models within a model. tfjs counts the making of a model as the first call of it,
 * Keras 3 does not.
 */
function nestedModels({ config }: Json): ReadonlySet<unknown> {
  const layers = isObject(config) && Array.isArray(config.layers) ? config.layers : [];
  const nested = layers.filter(
    (layer) => isObject(layer) && /^(Functional|Sequential|Model)$/.test(String(layer.class_name)),
  );
  return new Set(nested.flatMap((layer) => [layer.name, layer.config?.name]));
}

function plain(value: unknown, nested: ReadonlySet<unknown>): unknown {
  if (Array.isArray(value)) return value.map((each) => plain(each, nested));
  if (!isObject(value)) return value;
  if (value.class_name === 'DTypePolicy' && isObject(value.config)) return typeOf(value.config);
  const entries = Object.entries(value).flatMap(([key, inner]): [string, unknown][] => {
    switch (key) {
      case 'module':
      case 'registered_name':
      case 'build_config':
      case 'compile_config':
        return [];
      case 'batch_shape':
        return [['batch_input_shape', inner]];
      case 'negative_slope':
        return [['alpha', inner]];
      case 'dtype':
        return [[key, isObject(inner) ? plain(inner, nested) : typeOf({ name: inner })]];
      case 'activation':
      case 'recurrent_activation':
        return [[key, activationOf(inner)]];
      case 'input_layers':
      case 'output_layers':
        return [[key, asList(inner).map((each) => counted(each, nested))]];
      case 'inbound_nodes':
        return [[key, asList(inner).map((node) => inboundTensors(node, nested))]];
      case 'config':
        if (isObject(inner) && /^L[12]$/.test(String(value.class_name)))
          return [[key, { l1: inner.l1 ?? 0, l2: inner.l2 ?? 0 }]];
        return [[key, isObject(inner) ? plain(inner, nestedOf(value, nested)) : inner]];
      case 'class_name':
        return [[key, /^L[12]$/.test(String(inner)) ? 'L1L2' : inner]];
      default:
        return [[key, plain(inner, nested)]];
    }
  });
  return Object.fromEntries(entries);
}

/** Within a model, its own models count. */
function nestedOf(value: Json, outer: ReadonlySet<unknown>): ReadonlySet<unknown> {
  const own = nestedModels(value);
  return own.size > 0 ? own : outer;
}

function typeOf({ name }: Json): unknown {
  if (name === undefined || name === null) return 'float32';
  if (!/^(float32|int32|bool)$/.test(String(name)))
    throw new OtherInTfjs(`the type ${name} is not supported: save it with float32`);
  return name;
}

function activationOf(value: unknown): unknown {
  const name = isObject(value) ? value.config : value;
  if (name === 'silu') return 'swish';
  if (name === 'hard_sigmoid')
    throw new OtherInTfjs('hard_sigmoid of Keras 3 is another function than in tfjs');
  return name;
}

/** A single tensor stands for itself, or in a list. */
function asList(value: unknown): readonly unknown[] {
  if (!Array.isArray(value)) return [];
  return typeof value[0] === 'string' ? [value] : value;
}

/** A reference to a call of a layer, as tfjs counts them. */
function counted(reference: unknown, nested: ReadonlySet<unknown>): unknown {
  if (!Array.isArray(reference)) return reference;
  const [layer, node, ...rest] = reference;
  return [layer, nested.has(layer) ? Number(node) + 1 : node, ...rest];
}

/** The tensors that a layer is called with: `[layer, node, tensor, {}]` each. */
function inboundTensors(node: unknown, nested: ReadonlySet<unknown>): unknown {
  // Its HDF5 files have the lists of Keras 2.
  if (Array.isArray(node)) return node.map((each) => counted(each, nested));
  if (!isObject(node)) return node;
  return tensorsIn(node.args).map((history) => [...(counted(history, nested) as unknown[]), {}]);
}

function tensorsIn(value: unknown): readonly (readonly unknown[])[] {
  if (Array.isArray(value)) return value.flatMap(tensorsIn);
  if (!isObject(value)) return [];
  const { class_name: name, config } = value;
  const isTensor = name === '__keras_tensor__' && isObject(config);
  if (isTensor && Array.isArray(config.keras_history)) return [config.keras_history];
  return Object.values(value).flatMap(tensorsIn);
}

function isObject(value: unknown): value is Json & { readonly config?: Json } {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
