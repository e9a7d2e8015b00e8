import { randomBytes } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { CreateBucketCommand, type S3Client } from '@aws-sdk/client-s3';
import {
  CreateQueueCommand,
  GetQueueUrlCommand,
  SetQueueAttributesCommand,
  type SQSClient,
} from '@aws-sdk/client-sqs';
import * as z from 'zod';
import {
  local,
  type Physical,
  type Resource,
  resolve,
  resourcesOf,
  type Template,
} from './template.ts';

const namesSchema = z.record(z.string(), z.string());

/**
 * Creates the template's bucket and queues, or finds them from an earlier run. Names get a random
 * suffix once, as CloudFormation's do, and are kept in `names.json` of the data directory.
 */
export async function provision(
  template: Template,
  dataDirectory: string,
  { s3, sqs }: { readonly s3: S3Client; readonly sqs: SQSClient },
): Promise<Physical> {
  const nameOf = namesFrom(join(dataDirectory, 'names.json'));
  const physical = new Map<string, Record<string, string>>();
  for (const { logicalId } of resourcesOf(template, 'AWS::S3::Bucket')) {
    const name = nameOf(logicalId, '');
    await s3.send(new CreateBucketCommand({ Bucket: name })).catch(ignoreExisting);
    physical.set(logicalId, { '': name, Arn: `arn:aws:s3:::${name}` });
  }
  for (const { logicalId } of resourcesOf(template, 'AWS::IAM::Role'))
    physical.set(logicalId, { '': logicalId, RoleId: logicalId });
  // A queue's redrive policy names its dead-letter queue, which therefore comes first.
  const queues = resourcesOf(template, 'AWS::SQS::Queue');
  const hasDeadLetters = ({ Properties }: Resource) => Properties.RedrivePolicy !== undefined;
  for (const queue of [
    ...queues.filter((q) => !hasDeadLetters(q)),
    ...queues.filter(hasDeadLetters),
  ]) {
    const name = nameOf(queue.logicalId, '.fifo');
    const QueueUrl = await createOrMend(sqs, name, queueAttributes(queue, physical));
    const arn = `arn:aws:sqs:${local.region}:${local.account}:${name}`;
    physical.set(queue.logicalId, { '': QueueUrl, Arn: arn, QueueName: name });
  }
  return physical;
}

/** Attributes that releases of Millrace have changed, or may. */
const changeable: ReadonlySet<string> = new Set([
  'VisibilityTimeout',
  'RedrivePolicy',
  'MessageRetentionPeriod',
]);

/** A queue of an earlier release has other attributes; its messages stay. */
async function createOrMend(
  sqs: SQSClient,
  QueueName: string,
  Attributes: Record<string, string>,
): Promise<string> {
  try {
    return (await sqs.send(new CreateQueueCommand({ QueueName, Attributes }))).QueueUrl ?? '';
  } catch (error) {
    // By name: the emulator's error is not of the SDK's class.
    if (!(error instanceof Error && error.name.endsWith('QueueNameExists'))) throw error;
    const { QueueUrl = '' } = await sqs.send(new GetQueueUrlCommand({ QueueName }));
    const changed = Object.entries(Attributes).filter(([name]) => changeable.has(name));
    const own = Object.fromEntries(changed);
    await sqs.send(new SetQueueAttributesCommand({ QueueUrl, Attributes: own }));
    return QueueUrl;
  }
}

/** Template properties and SQS attributes share their names, but for these. */
const attributeNames: Readonly<Record<string, string>> = { SqsManagedSseEnabled: '', Tags: '' };

function queueAttributes({ Properties }: Resource, physical: Physical): Record<string, string> {
  const attributes = resolve(Properties, physical);
  return Object.fromEntries(
    Object.entries(attributes as object)
      .filter(([name]) => attributeNames[name] === undefined)
      .map(([name, value]) => [
        name,
        typeof value === 'object' ? JSON.stringify(value) : String(value),
      ]),
  );
}

function namesFrom(file: string): (logicalId: string, ending: string) => string {
  const names = existsSync(file) ? namesSchema.parse(JSON.parse(readFileSync(file, 'utf8'))) : {};
  return (logicalId, ending) => {
    names[logicalId] ??=
      `${logicalId.toLowerCase().slice(0, 40)}-${randomBytes(4).toString('hex')}${ending}`;
    writeFileSync(file, `${JSON.stringify(names, null, 1)}\n`);
    return names[logicalId];
  };
}

function ignoreExisting(error: unknown): void {
  if (!(error instanceof Error && error.name === 'BucketAlreadyOwnedByYou')) throw error;
}
