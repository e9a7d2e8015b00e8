type Json = Readonly<Record<string, unknown>>;

/** A layer as Keras or tfjs describes it. */
type Layer = Json & { readonly class_name: string; readonly config: Json };

/**
 * Why a network that Keras describes would be another one in tfjs, or one of tfjs another in Keras:
 * each passes over settings that it has not.
 *
 * @param topology a model, in the form of Keras 2 or 3 or of tfjs
 * @returns undefined if both compute the same
 */
export function whyOtherInTfjs(topology: Json): string | undefined {
  for (const layer of layersIn(topology)) {
    const why = whyOther(layer) ?? whyMaskIsOther(layer);
    if (why !== undefined) return why;
  }
  return undefined;
}

/** Why nobody reads a model that tfjs describes, tfjs itself among them; undefined if they do. */
export function whyUnreadable(topology: Json): string | undefined {
  for (const { class_name: name, config } of layersIn(topology))
    if (/^SeparableConv/.test(name) && Number(config.depth_multiplier ?? 1) !== 1)
      return `neither Keras nor tfjs reads a ${name} with a depth_multiplier of tfjs`;
  return undefined;
}

/** All layers of a model, those of models and wrappers within it too, and the model itself. */
function* layersIn(value: unknown): Generator<Layer> {
  if (Array.isArray(value)) for (const each of value) yield* layersIn(each);
  if (!isObject(value)) return;
  if (isLayer(value)) yield value;
  for (const inner of Object.values(value)) yield* layersIn(inner);
}

const rule = (name: string, setting: string) =>
  `${name} with ${setting} is another layer in tfjs than in Keras`;

function whyOther({ class_name: name, config, ...layer }: Layer): string | undefined {
  const { interpolation, data_format: format, axis, negative_slope: slope, threshold } = config;
  const isDilated = [config.dilation_rate].flat(2).some((rate) => Number(rate ?? 1) !== 1);
  switch (name) {
    case 'GRU':
      if (config.reset_after === true)
        return 'a GRU with reset_after is another one than in tfjs: say False';
      break;
    case 'ReLU':
      if (Number(slope ?? 0) !== 0 || Number(threshold ?? 0) !== 0)
        return 'tfjs has no negative_slope and no threshold of ReLU';
      break;
    case 'Normalization':
      return 'tfjs has no Normalization: leave it out, numbers are standardised here';
    case 'BatchNormalization':
      if ((config.mask ?? null) !== null || config.synchronized === true)
        return 'tfjs has no synchronized BatchNormalization';
      break;
    case 'UpSampling2D':
      if ((interpolation ?? 'nearest') !== 'nearest')
        return rule(name, `interpolation ${JSON.stringify(interpolation)}`);
      break;
    case 'Concatenate':
      if (Number(axis ?? -1) < -1) return rule(name, `the axis ${axis}`);
      break;
    case 'DepthwiseConv2D':
    case 'Conv2DTranspose':
    case 'Conv3DTranspose':
      if (isDilated) return rule(name, 'a dilation_rate');
      if ((config.output_padding ?? null) !== null) return rule(name, 'an output_padding');
      break;
    case 'Bidirectional':
      if (!isForwardsBackwards(config)) return rule(name, 'a backward_layer of its own');
      break;
  }
  if (/1D$/.test(name) && format === 'channels_first')
    return rule(name, 'data_format "channels_first"');
  const type = JSON.stringify(config.dtype ?? null);
  const [half] = /(mixed_)?b?float(16|64)/.exec(type) ?? [];
  if (half !== undefined) return `the type ${half} is not supported: save it with float32`;
  if (/"initial_state":[^n]/.test(JSON.stringify(layer.inbound_nodes ?? null)))
    return rule(name, 'an initial_state');
  return undefined;
}

/** Whether a Bidirectional goes backwards by the layer by which it goes forwards. */
function isForwardsBackwards({ layer, backward_layer: backwards }: Json): boolean {
  if (!isObject(backwards) || !isObject(layer)) return true;
  const settingsOf = ({ config }: Json) => {
    const { name: _, go_backwards: __, ...own } = isObject(config) ? config : {};
    return JSON.stringify(own);
  };
  return layer.class_name === backwards.class_name && settingsOf(layer) === settingsOf(backwards);
}

/** Layers that take a mask into account, alike in both. */
const recurrent = new Set(['LSTM', 'GRU', 'SimpleRNN', 'RNN', 'Bidirectional']);
/** Layers that hand a mask on, and look at nothing of it. */
const passing = new Set([
  ...['Dense', 'Activation', 'ReLU', 'LeakyReLU', 'ELU', 'PReLU', 'LayerNormalization'],
  ...['Dropout', 'SpatialDropout1D', 'GaussianNoise', 'GaussianDropout', 'AlphaDropout'],
  ...['BatchNormalization', 'TimeDistributed'],
]);
/** Layers that take no mask, nor hand one on. */
const ending = new Set(['Flatten', 'GlobalMaxPooling1D']);

/**
 * What comes out of a layer: with a mask; with one, and zeros where it is in Keras; or with one in
 * Keras or tfjs alone.
 */
type Masked = 'masked' | 'zeroed' | 'doubtful';

/** Why what is masked in a model is masked otherwise in tfjs. */
function whyMaskIsOther({ config }: Layer): string | undefined {
  const layers = Array.isArray(config.layers) ? config.layers.filter(isLayer) : [];
  const masks = new Map<unknown, Masked>();
  let before: unknown;
  for (const layer of layers) {
    const { class_name: name, config: own, inbound_nodes: calls } = layer;
    const calledWith = calls === undefined ? undefined : JSON.stringify(calls);
    const given = [...masks].filter(([each]) =>
      calledWith === undefined ? each === before : calledWith.includes(JSON.stringify(each)),
    );
    before = layer.name ?? own.name ?? {};
    const masked = given.map(([, mask]) => mask);
    const why = `${name} behind a mask (Masking, mask_zero) is another layer in tfjs than in Keras`;
    if (Array.isArray(own.layers)) {
      if (masked.length > 0 || hasMask(own)) return why;
    } else if (name === 'Masking' || own.mask_zero === true) masks.set(before, 'masked');
    else if (masked.length > 0 && recurrent.has(name)) {
      if (masked.includes('doubtful')) return why;
      const inner = isLayer(own.layer) ? own.layer.config : own;
      if (inner.return_sequences !== true) continue;
      masks.set(before, inner.zero_output_for_mask === true ? 'zeroed' : 'masked');
    } else if (masked.includes('zeroed') && !passing.has(name))
      return rule(name, 'what zero_output_for_mask leaves');
    else if (masked.length > 0 && /^GlobalAveragePooling/.test(name)) return why;
    else if (masked.length > 0 && !ending.has(name)) {
      const [first = 'doubtful'] = masked;
      masks.set(before, passing.has(name) && masked.length === 1 ? first : 'doubtful');
    }
  }
  return undefined;
}

function hasMask(config: Json): boolean {
  return /"class_name":"Masking"|"mask_zero":true/.test(JSON.stringify(config));
}

function isLayer(value: unknown): value is Layer {
  return isObject(value) && typeof value.class_name === 'string' && isObject(value.config);
}

function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
