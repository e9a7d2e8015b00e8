import type { Declared, Spec, SpecInput } from './spec.ts';

/** What somebody may name a model by: its name, or its spec, which types its samples. */
export type ModelReference = string | Spec;

/** The name of a referenced model. */
export function nameOf(model: ModelReference): string {
  return typeof model === 'object' && model !== null ? model.model : model;
}

type FeatureInput = SpecInput['features'][string];

/** How a sample holds a feature; cells.md lists what else is read. */
type ValueOf<Feature extends FeatureInput> = Feature extends { type: 'number' }
  ? number
  : Feature extends { type: 'category' }
    ? string | number | boolean
    : Feature extends { type: 'image' }
      ? readonly (number | readonly unknown[])[]
      : Feature extends { type: 'vector' }
        ? readonly number[]
        : Feature extends { type: 'timestamp' }
          ? string | number | Date
          : Feature extends { type: 'text' }
            ? string
            : unknown;

/** Features that are taken from others: samples do not have them. */
type Derived<Features> = {
  [Name in keyof Features]: Features[Name] extends { of: readonly string[] } | { type: 'lag' }
    ? Name
    : never;
}[keyof Features];

type WithMissing<Features> = {
  [Name in keyof Features]: Features[Name] extends { missing: string | number } | { type: 'text' }
    ? Name
    : never;
}[keyof Features];

/** Those that may stay away. */
type Optional<Input extends SpecInput> = Input extends { missing: 'learnt' }
  ? Exclude<keyof Input['features'], Derived<Input['features']>>
  : WithMissing<Input['features']>;

/** The features of a declaration's samples; those that may be missing may stay away. */
type FeaturesOf<Input extends SpecInput> = {
  readonly [Name in Exclude<
    keyof Input['features'],
    Optional<Input> | Derived<Input['features']>
  >]: ValueOf<Input['features'][Name]>;
} & { readonly [Name in Optional<Input>]?: ValueOf<Input['features'][Name]> | null };

type LabelOf<Input extends SpecInput> = Input['task'] extends 'regression'
  ? Input extends { label: { outputs: readonly (infer Output extends string)[] } }
    ? Readonly<Record<Output, number>>
    : number
  : Input['task'] extends 'binary'
    ? boolean | 0 | 1
    : Input extends { label: { maxClasses: number } }
      ? string
      : Input extends { label: { classes: readonly (infer Class)[] } }
        ? Class
        : string;

/** A question to a model: a sample without its label. */
export type QuestionOf<Model extends ModelReference> =
  Model extends Declared<infer Input>
    ? string extends keyof Input['features']
      ? unknown
      : {
          readonly features: FeaturesOf<Input>;
          /** Kept under it, until its label is sent with the id instead of the features. */
          readonly id?: string | number;
        }
    : unknown;

/** A labelled sample of a model. Of one that is only named, nothing is known. */
export type SampleOf<Model extends ModelReference> =
  Model extends Declared<infer Input>
    ? string extends keyof Input['features']
      ? unknown
      : { readonly label: LabelOf<Input>; readonly weight?: number } & (
          | { readonly features: FeaturesOf<Input>; readonly id?: never }
          /** Of what was asked under it; `default`: no label came for it in time. */
          | { readonly id: string | number; readonly default?: true }
        )
    : unknown;
