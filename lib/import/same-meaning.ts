import { invalid } from '../errors.ts';
import { isRecord } from '../parse.ts';
import { type Expert, isNetwork, type NetworkExpert } from '../spec/experts-schema.ts';
import { canonicalJson } from '../spec/identity.ts';
import type { Spec } from '../spec/spec.ts';

/**
 * Columns in another order, or texts in another, would be taken for each other.
 *
 * @param source the spec of the file that the weights are from
 * @throws MillraceError kind `invalid` that names the field
 */
export function assertSameInputs(declared: Spec, source: unknown): void {
  assertSame(meaningOf(declared), meaningOf(source as Partial<Spec>));
}

/**
 * Another network makes something else of weights that fit into it.
 *
 * @throws as {@link assertSameInputs}
 */
export function assertSameNetwork(declared: Spec, source: unknown): void {
  assertSame(computedByAll(declared), computedByAll(source as Partial<Spec>));
}

function assertSame(declared: readonly Said[], source: readonly Said[]): void {
  const theirs = new Map(source);
  for (const [field, own] of declared) {
    const other = theirs.get(field) ?? nothing;
    if (own === other) continue;
    if (field === topologyField)
      throw invalid(
        `spec.${field}: must have the layers and activations by which the weights were learnt; ` +
          'take the topology of the model that was exported',
      );
    throw invalid(`spec.${field}: must be ${other}, as the weights were learnt (found ${own})`);
  }
}

/** A field of a spec, and what it says. */
type Said = readonly [field: string, value: string];

const nothing = 'not given';
const topologyField = 'network.topology';

/** What of a spec decides what its weights mean, in the order that decides it. */
function meaningOf({ task, features, label }: Partial<Spec>): readonly Said[] {
  const entries = Object.entries(features ?? {});
  return [
    ['task', String(task)],
    ['features', entries.map(([name]) => name).join(', ')],
    ...entries.map(([name, feature]): Said => {
      const { column: _, missing: __, unit: ___, ...own }: Record<string, unknown> = feature;
      const isUsual = feature.type === 'timestamp' && own.standardize === true;
      return [
        `features.${name}`,
        canonicalJson(isUsual ? { ...own, standardize: undefined } : own),
      ];
    }),
    ['label.classes', (label?.classes ?? []).join(', ')],
    ['label.maxClasses', String(label?.maxClasses ?? nothing)],
    ['label.outputs', label?.outputs?.join(', ') ?? nothing],
    ['label.standardize', String(label?.standardize ?? false)],
  ];
}

/** What the networks of a spec compute that weights, by their names and shapes, do not say. */
function computedByAll({ network, online }: Partial<Spec>): readonly Said[] {
  return online?.experts === undefined
    ? computedByNetwork(network)
    : computedByExperts(online.experts, network);
}

type Network = Partial<Spec>['network'];

function computedByNetwork(network: Network): readonly Said[] {
  if (network === undefined) return [];
  return 'topology' in network
    ? [[topologyField, canonicalJson(layersOf(network.topology))]]
    : [['network.activation', activationOf(network)]];
}

/** What is computed of hidden layers, if there are any. */
function activationOf({
  hidden = [],
  activation,
}: Pick<NetworkExpert, 'hidden' | 'activation'>): string {
  return (hidden.length > 0 && activation) || nothing;
}

/** The layers of a topology, and what each computes beside what its weights say. */
function layersOf(topology: unknown): readonly unknown[] {
  if (Array.isArray(topology)) return topology.flatMap(layersOf);
  if (!isRecord(topology)) return [];
  const { class_name: kind, className = kind, config } = topology;
  const own =
    className === undefined || className === 'InputLayer'
      ? []
      : [[className, isRecord(config) ? computedBy(config) : {}]];
  return [...own, ...Object.values(topology).flatMap(layersOf)];
}

/** What of a layer's configuration says what it computes; tfjs and Keras write the names otherwise. */
const computing: ReadonlySet<string> = new Set([
  'activation',
  'recurrentactivation',
  'strides',
  'padding',
  'poolsize',
  'dilationrate',
  'axis',
  'alpha',
  'negativeslope',
  'epsilon',
  'maxvalue',
  'threshold',
  'theta',
  'returnsequences',
  'gobackwards',
]);

function computedBy(config: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  const said = Object.entries(config).flatMap(([key, value]) => {
    const name = key.replaceAll('_', '').toLowerCase();
    const isUsual = name === 'activation' && (value === null || value === 'linear');
    return computing.has(name) && !isUsual ? [[name, value] as const] : [];
  });
  return Object.fromEntries(said);
}

function computedByExperts(experts: readonly Expert[], network: Network): readonly Said[] {
  const own = network !== undefined && 'hidden' in network ? network : undefined;
  return experts.flatMap((expert, i): readonly Said[] => {
    const field = `online.experts[${i}]`;
    if (!isNetwork(expert)) return [[`${field}.predicts`, expert.predicts]];
    return [
      [`${field}.predicts`, nothing],
      [`${field}.activation`, activationOf({ ...own, ...expert })],
      [`${field}.halfLife`, String(expert.halfLife ?? nothing)],
    ];
  });
}
