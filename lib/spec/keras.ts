type Json = Readonly<Record<string, unknown>>;

/**
 * A topology as tfjs reads it, which is as Keras 2 wrote it. What Keras 3 wrote becomes that: in
 * it, objects carry the module of their class, types are policies, and a layer is called with
 * arguments instead of a list of tensors.
 */
export function asKeras2(topology: Json): Json {
  return isOfKeras3(topology) ? (plain(topology) as Json) : topology;
}

function isOfKeras3(topology: Json): boolean {
  const { config } = topology;
  const layers = isObject(config) && Array.isArray(config.layers) ? config.layers : [];
  return [topology, ...layers].some((each) => isObject(each) && typeof each.module === 'string');
}

function plain(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(plain);
  if (!isObject(value)) return value;
  if (value.class_name === 'DTypePolicy' && isObject(value.config)) return value.config.name;
  const entries = Object.entries(value).flatMap(([key, inner]): [string, unknown][] => {
    switch (key) {
      case 'module':
      case 'registered_name':
      case 'build_config':
      case 'compile_config':
        return [];
      case 'batch_shape':
        return [['batch_input_shape', inner]];
      case 'input_layers':
      case 'output_layers':
        // A single tensor stands for itself, or in a list.
        return [[key, Array.isArray(inner) && typeof inner[0] === 'string' ? [inner] : inner]];
      case 'inbound_nodes':
        return [[key, Array.isArray(inner) ? inner.map(inboundTensors) : inner]];
      default:
        return [[key, plain(inner)]];
    }
  });
  return Object.fromEntries(entries);
}

/** The tensors that a layer is called with: `[layer, node, tensor, {}]` each. */
function inboundTensors(node: unknown): unknown {
  if (!isObject(node)) return node;
  return tensorsIn(node.args).map((history) => [...history, {}]);
}

function tensorsIn(value: unknown): readonly (readonly unknown[])[] {
  if (Array.isArray(value)) return value.flatMap(tensorsIn);
  if (!isObject(value)) return [];
  const { class_name: name, config } = value;
  const isTensor = name === '__keras_tensor__' && isObject(config);
  if (isTensor && Array.isArray(config.keras_history)) return [config.keras_history];
  return Object.values(value).flatMap(tensorsIn);
}

function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
