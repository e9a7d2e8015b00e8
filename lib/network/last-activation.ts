import { invalid } from '../errors.ts';
import type { Task } from '../features/task.ts';
import { show } from '../parse.ts';

/** A topology, or a part of it, as `model.toJSON()` writes it. */
export type Json = Record<string, unknown>;

/** Whether a value is an object of fields. */
export function isJson(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
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
/** Layers that pass on what they get, or a mean of it. */
const passing: ReadonlySet<unknown> = new Set(
  (
    'Reshape Flatten Permute Concatenate Average Dropout SpatialDropout1D GaussianDropout ' +
    'GaussianNoise AlphaDropout'
  ).split(' '),
);

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
  const outer = lastOf(topology);
  const last = revision < 16 ? outer : innermost(outer);
  if (last === undefined) return;
  const found = revision < 16 ? ownActivation(last.layer) : activationOf(last.layer);
  if (found !== link && found !== 'linear') {
    throw invalid(
      `spec.network.topology: its last activation must be ${link} or linear ` +
        `for the task ${task} (found ${show(found)})`,
    );
  }
  if (found !== 'linear' && last.isShared)
    throw invalid(
      `spec.network.topology: the ${link} at its end is of a model that is used more than once; ` +
        'end in a layer of its own',
    );
  if (found !== 'linear') makeLinear(last.layer);
  else if (revision >= 16 && link !== 'linear') assertNoneBefore(last, link);
}

/** A layer, and the layers of its model: of a Sequential, in their order. */
type Place = { readonly layer: Json; readonly layers: readonly Json[]; readonly isShared: boolean };

/** The layer that a model's output comes from. */
function lastOf(model: Json, isShared = false): Place | undefined {
  const config = isJson(model.config) ? model.config : model;
  const layers = Array.isArray(config.layers) ? config.layers.filter(isJson) : [];
  const outputs: unknown = config.output_layers;
  const outputName: unknown =
    Array.isArray(outputs) && Array.isArray(outputs[0]) ? outputs[0][0] : undefined;
  // A Sequential names no output: it is its last layer.
  const named =
    outputName === undefined ? undefined : layers.find((layer) => layer.name === outputName);
  const layer = named ?? layers.at(-1);
  return layer && { layer, layers, isShared };
}

/** The last layer that is no model itself. */
function innermost(place: Place | undefined): Place | undefined {
  if (place === undefined || !models.has(place.layer.class_name)) return place;
  return innermost(lastOf(place.layer, place.isShared || nodesOf(place.layer).length > 1));
}

/** The layers that a layer is fed by, each as it was called. */
function sourcesOf({ layer, layers, isShared }: Place): readonly Place[] {
  const nodes = nodesOf(layer);
  const names = new Set(
    nodes.flatMap((node) =>
      Array.isArray(node) ? node.map((input) => (Array.isArray(input) ? input[0] : undefined)) : [],
    ),
  );
  const before =
    nodes.length > 0
      ? layers.filter(({ name }) => names.has(name))
      : layers.slice(0, layers.indexOf(layer)).slice(-1);
  return before.flatMap((source) => innermost({ layer: source, layers, isShared }) ?? []);
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
  if (isJson(wrapped)) return activationOf(wrapped);
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
  const seen = new Set<Json>();
  const open = [last];
  for (let place = open.pop(); place !== undefined; place = open.pop()) {
    if (seen.has(place.layer) || !passing.has(place.layer.class_name)) continue;
    seen.add(place.layer);
    for (const source of sourcesOf(place)) {
      const found = activationOf(source.layer);
      if (found === 'softmax' || found === 'sigmoid')
        throw invalid(
          `spec.network.topology: the layer ${nameOf(last)} is the last one, behind the ${found} of ` +
            `${nameOf(source)}; what comes out is taken for what stands before ${link}: end in the ` +
            'activation, or leave it out',
        );
      open.push(source);
    }
  }
}

function nameOf({ layer }: Place): string {
  return show(layer.name ?? configOf(layer).name);
}
