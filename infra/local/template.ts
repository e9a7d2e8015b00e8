import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as z from 'zod';

const resourceSchema = z.object({
  Type: z.string(),
  Properties: z.record(z.string(), z.unknown()).default({}),
  Metadata: z.record(z.string(), z.unknown()).default({}),
});

const templateSchema = z.object({
  Resources: z.record(z.string(), resourceSchema),
  Outputs: z.record(z.string(), z.object({ Value: z.unknown() })).default({}),
});

/** One resource of a synthesized template. */
export type Resource = z.output<typeof resourceSchema> & { readonly logicalId: string };
/** The parts of a synthesized template that this machine runs. */
export type Template = {
  readonly resources: readonly Resource[];
  readonly outputs: Readonly<Record<string, unknown>>;
};

/** What `Ref` and `Fn::GetAtt` stand for, by logical id: `Ref` itself under the empty attribute. */
export type Physical = ReadonlyMap<string, Readonly<Record<string, string>>>;

/** The region and account of the local cloud, where an ARN or URL needs one. */
export const local = { region: 'us-east-1', account: '000000000000' } as const;

/** Reads the stack's template from a cloud assembly (`cdk.out`). */
export function readTemplate(assembly: string): Template {
  const { Resources, Outputs } = templateSchema.parse(
    JSON.parse(readFileSync(join(assembly, 'Millrace.template.json'), 'utf8')),
  );
  return {
    resources: Object.entries(Resources).map(([logicalId, resource]) => ({
      logicalId,
      ...resource,
    })),
    outputs: Object.fromEntries(Object.entries(Outputs).map(([name, { Value }]) => [name, Value])),
  };
}

/** The resources of one type, in the template's order. */
export function resourcesOf({ resources }: Template, type: string): readonly Resource[] {
  return resources.filter((resource) => resource.Type === type);
}

/**
 * A value with its intrinsic functions (`Ref`, `Fn::GetAtt`, `Fn::Join`) replaced by what they
 * stand for.
 *
 * @throws Error if it names a resource that this machine does not have
 */
export function resolve(value: unknown, physical: Physical): unknown {
  if (Array.isArray(value)) return value.map((element) => resolve(element, physical));
  if (typeof value !== 'object' || value === null) return value;
  const [[name, argument] = ['', undefined], ...others] = Object.entries(value);
  if (others.length === 0) {
    if (name === 'Ref') return pseudo[String(argument)] ?? lookUp(physical, String(argument), '');
    if (name === 'Fn::GetAtt' && Array.isArray(argument))
      return lookUp(physical, String(argument[0]), String(argument[1]));
    if (name === 'Fn::Join' && Array.isArray(argument)) {
      const parts = resolve(argument[1], physical);
      return Array.isArray(parts) ? parts.join(String(argument[0])) : undefined;
    }
  }
  return Object.fromEntries(
    Object.entries(value).map(([key, nested]) => [key, resolve(nested, physical)]),
  );
}

const pseudo: Readonly<Record<string, string>> = {
  'AWS::Region': local.region,
  'AWS::AccountId': local.account,
  'AWS::Partition': 'aws',
  'AWS::URLSuffix': 'amazonaws.com',
};

function lookUp(physical: Physical, logicalId: string, attribute: string): string {
  const value = physical.get(logicalId)?.[attribute];
  if (value === undefined)
    throw new Error(
      `the template uses ${logicalId}.${attribute || 'Ref'}, which is not provisioned here`,
    );
  return value;
}

/**
 * Roles, layers and log groups do not exist here; only the properties that this machine uses are
 * resolved.
 */
export function resolveProperties({ Properties }: Resource, physical: Physical): unknown {
  const { Role: _, Code: __, LoggingConfig: ___, ...used } = Properties;
  return resolve(used, physical);
}
