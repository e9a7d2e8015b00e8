import { invalid } from '../errors.ts';
import type { Task } from '../features/task.ts';
import { isRecord, show } from '../parse.ts';

/** A topology, or a part of it, as `model.toJSON()` writes it. */
export type Json = Record<string, unknown>;

/** Whether a value is an object of fields. */
export function isJson(value: unknown): value is Json {
  return isRecord(value);
}

/** What makes a prediction of what the last layer adds up. */
const links = { regression: 'linear', binary: 'sigmoid', multiclass: 'softmax' } as const;

/** Layers that are nothing but an activation, by their classes; `Activation` names its own. */
const activations: ReadonlySet<unknown> = new Set(
  'ReLU LeakyReLU PReLU ELU ThresholdedReLU'.split(' '),
);
/** Layers whose activation is not the last that they do. */
const recurrent: ReadonlySet<unknown> = new Set('SimpleRNN GRU LSTM'.split(' '));
/** Layers of layers. */
const models: ReadonlySet<unknown> = new Set(['Sequential', 'Model', 'Functional']);
/** Layers that pass on what they get, or a part or a mean of it. */
const passing = new RegExp(
  `^(${[
    'Reshape|Flatten|Permute|RepeatVector|Masking|Rescaling|.*Dropout.*|GaussianNoise',
    '(Global)?(Average|Max)Pooling.*|Cropping.*|ZeroPadding.*|UpSampling.*',
    'Concatenate|Average|Maximum|Minimum|Activation',
  ].join('|')})$`,
);
/** Layers that add up or multiply what they get: of activations alone, they make no logits. */
const merging: ReadonlySet<unknown> = new Set(['Add', 'Subtract', 'Multiply']);

/**
 * Takes the sigmoid or softmax off the end of a topology, in place: the loss works on logits. Since
 * revision 16 it may be a layer of its own, or the last one of a nested model; and one that stands
 * before layers which only pass on is refused, since what comes out would be taken for logits.
 *
 * @throws MillraceError kind `invalid` if the topology ends in another activation
 */
export function endInLogits(
  { task, revision = 0 }: { readonly task: Task; readonly revision?: number | undefined },
  topology: Json,
): void {
  const link = links[task];
  const output = outputOf(topology);
  const last = revision < 16 ? output?.place : innermost(output);
  if (last === undefined) return;
  const found = revision < 16 ? ownActivation(last.layer) : activationOf(last.layer);
  const allowed = link === 'linear' ? link : `${link} or linear`;
  if (found !== link && found !== 'linear') {
    throw invalid(
      `spec.network.topology: its last activation must be ${allowed} ` +
        `for the task ${task} (found ${show(found)})`,
    );
  }
  if (found !== 'linear' && revision >= 16 && isShared(last))
    throw invalid(
      `spec.network.topology: the ${link} at its end is of a layer that is used more than once; ` +
        'end in a layer of its own',
    );
  if (found !== 'linear') makeLinear(last.layer);
  else if (revision >= 16 && link !== 'linear') assertNoneBefore(last, link);
}

/** A layer, and where it stands. */
type Place = {
  readonly layer: Json;
  /** The layers of its model: of a Sequential, in their order. */
  readonly layers: readonly Json[];
  /** The model itself, where it is a layer of another. */
  readonly outer?: Place | undefined;
};

/** An output of a layer. */
type Output = { readonly place: Place; readonly index: number };

/** What a model puts out: an output of one of its layers; a Sequential has one, of the last. */
function outputOf(model: Json, index = 0, outer?: Place): Output | undefined {
  const config = isJson(model.config) ? model.config : model;
  const layers = Array.isArray(config.layers) ? config.layers.filter(isJson) : [];
  const outputs: unknown = config.output_layers;
  const tensor: unknown = Array.isArray(outputs) ? outputs[index] : undefined;
  const [name, , own] = Array.isArray(tensor) ? tensor : [];
  const layer = layers.find((each) => name !== undefined && each.name === name) ?? layers.at(-1);
  return layer && { place: { layer, layers, outer }, index: Number(own ?? 0) };
}

/** The layer that is no model itself and puts that out. */
function innermost(output: Output | undefined): Place | undefined {
  if (output === undefined || !models.has(output.place.layer.class_name)) return output?.place;
  return innermost(outputOf(output.place.layer, output.index, output.place));
}

/** Whether a layer, or a model that it is in, is called more than once. */
function isShared({ layer, outer }: Place): boolean {
  return nodesOf(layer).length > 1 || (outer !== undefined && isShared(outer));
}

/** The layers that a layer is fed by; of the first ones of a model, those that feed the model. */
function sourcesOf({ layer, layers, outer }: Place): readonly Place[] {
  if (layer.class_name === 'InputLayer') return outer ? sourcesOfInput(outer, layer) : [];
  const inputs = inputsOf(layer);
  const before = layers[layers.indexOf(layer) - 1];
  if (inputs.length > 0) return inputs.flatMap((input) => sourceOf(input, { layers, outer }));
  if (before === undefined) return outer ? sourcesOf(outer) : [];
  return [innermost({ place: { layer: before, layers, outer }, index: 0 }) ?? []].flat();
}

/** The tensors that a layer is called with. */
function inputsOf(layer: Json): readonly unknown[] {
  return nodesOf(layer).flatMap((node) => (Array.isArray(node) ? node : []));
}

/** What one of the inputs of a model within another is fed by. */
function sourcesOfInput(outer: Place, { name }: Json): readonly Place[] {
  const { input_layers: own } = configOf(outer.layer);
  const place = Array.isArray(own)
    ? own.findIndex((each) => Array.isArray(each) && each[0] === name)
    : -1;
  const inputs = inputsOf(outer.layer);
  const input = place >= 0 && inputs.length > 1 ? inputs[place] : undefined;
  return input === undefined ? sourcesOf(outer) : sourceOf(input, outer);
}

/** The layer that a tensor comes from. */
function sourceOf(tensor: unknown, { layers, outer }: Omit<Place, 'layer'>): readonly Place[] {
  const [name, , index] = Array.isArray(tensor) ? tensor : [];
  const layer = layers.find((each) => each.name === name);
  const own = layer && innermost({ place: { layer, layers, outer }, index: Number(index ?? 0) });
  return own ? [own] : [];
}

function nodesOf({ inbound_nodes: nodes }: Json): readonly unknown[] {
  return Array.isArray(nodes) ? nodes : [];
}

function configOf({ config }: Json): Json {
  return isJson(config) ? config : {};
}

function ownActivation(layer: Json): unknown {
  return configOf(layer).activation ?? 'linear';
}

/** The activation of a layer, or of the one that it wraps. */
function activationOf(layer: Json): unknown {
  const { axis = -1, layer: wrapped } = configOf(layer);
  if (activations.has(layer.class_name)) return layer.class_name;
  if (layer.class_name === 'Softmax')
    return axis === -1 || axis === 1 ? 'softmax' : `softmax of axis ${axis}`;
  if (isJson(wrapped)) {
    const inner = models.has(wrapped.class_name) ? innermost(outputOf(wrapped)) : undefined;
    return activationOf(inner?.layer ?? wrapped);
  }
  const own = ownActivation(layer);
  return own !== 'linear' && recurrent.has(layer.class_name)
    ? `${own} of ${layer.class_name}`
    : own;
}

function makeLinear(layer: Json): void {
  if (layer.class_name === 'Softmax') {
    const { axis: _, ...config } = configOf(layer);
    Object.assign(layer, { class_name: 'Activation', config });
  }
  configOf(layer).activation = 'linear';
}

/** @throws MillraceError kind `invalid` if the last layer passes on what an activation made */
function assertNoneBefore(last: Place, link: string): void {
  const found = activationBehind(last);
  if (found === undefined) return;
  throw invalid(
    `spec.network.topology: the layer ${nameOf(last)} is the last one, behind the ` +
      `${activationOf(found.layer)} of ${nameOf(found)}; what comes out is taken for what stands ` +
      `before ${link}: end in the activation, or leave it out`,
  );
}

/** A layer whose softmax or sigmoid a layer has, or passes on. */
function activationBehind(place: Place): Place | undefined {
  const own = activationOf(place.layer);
  if (own === 'softmax' || own === 'sigmoid') return place;
  const { class_name: kind } = place.layer;
  const passes = kind === 'InputLayer' || (typeof kind === 'string' && passing.test(kind));
  if (!passes && !merging.has(kind)) return undefined;
  const found = sourcesOf(place).map(activationBehind);
  const first = found.find((each) => each !== undefined);
  return passes || found.every((each) => each !== undefined) ? first : undefined;
}

function nameOf({ layer }: Place): string {
  return show(layer.name ?? configOf(layer).name);
}
