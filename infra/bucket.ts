import { Annotations, Duration, RemovalPolicy, Stack } from 'aws-cdk-lib';
import {
  AnyPrincipal,
  Effect,
  type IGrantable,
  type IRole,
  PolicyStatement,
} from 'aws-cdk-lib/aws-iam';
import type { IKey } from 'aws-cdk-lib/aws-kms';
import {
  BlockPublicAccess,
  Bucket,
  BucketEncryption,
  type IBucket,
  StorageClass,
} from 'aws-cdk-lib/aws-s3';
import type { Construct, IConstruct } from 'constructs';
import { invalid } from '../lib/errors.ts';
import { limits } from '../lib/limits.ts';
import { grant } from './grant.ts';

/** What a fold needs: it can be created once, and never be replaced or deleted, by anybody. */
export const permanent = [
  'models/*/journal/*',
  'models/*/spec.json',
  'models/*/specs/*',
  'models/*/resends/*',
  'models/*/jobs/*/job.json',
  'models/*/jobs/*/challenger.safetensors',
  'initial-weights/*',
] as const;

/** What people at a command line write: nothing of it changes what was learnt before. */
export const operatorWrites = [
  'models/*/spec.json',
  'models/*/specs/*',
  'initial-weights/*',
  'models/*/resends/*',
  'models/*/jobs/retract-*/challenger.safetensors',
  'models/*/jobs/spec-*/challenger.safetensors',
  'models/*/jobs/*/progress.json',
  'datasets/*',
  'compiled/*',
  'asked/*',
  'due/*',
  'verified/*',
  'trials/*',
];

/** Private, versioned, encrypted, TLS only. The bucket and its policy stay when the stack goes. */
export function createBucket(scope: Construct, encryptionKey?: IKey): Bucket {
  const bucket = new Bucket(scope, 'Bucket', {
    blockPublicAccess: BlockPublicAccess.BLOCK_ALL,
    ...(encryptionKey === undefined
      ? { encryption: BucketEncryption.S3_MANAGED }
      : { encryption: BucketEncryption.KMS, encryptionKey, bucketKeyEnabled: true }),
    enforceSSL: true,
    versioned: true,
    removalPolicy: RemovalPolicy.RETAIN,
    lifecycleRules: [
      // What people put there and replaced by mistake can be had back for a week.
      {
        noncurrentVersionExpiration: Duration.days(7),
        abortIncompleteMultipartUploadAfter: Duration.days(7),
      },
      // Each published state replaces the last, which is derived; journal entries never have a
      // second version. A day is the least that S3 allows.
      {
        prefix: 'models/',
        noncurrentVersionExpiration: Duration.days(1),
        transitions: [
          { storageClass: StorageClass.INTELLIGENT_TIERING, transitionAfter: Duration.days(30) },
        ],
      },
      // Questions wait so long for their labels.
      { prefix: 'asked/', expiration: Duration.days(limits.askedDays) },
      // What is due goes once it is sent; where versions are kept, a marker of that would stay.
      {
        prefix: 'due/',
        expiredObjectDeleteMarker: true,
        noncurrentVersionExpiration: Duration.days(1),
      },
      { prefix: 'prepared/', expiration: Duration.days(30) },
      { prefix: 'verified/', expiration: Duration.days(30) },
      { prefix: 'trials/', expiration: Duration.days(30) },
      { prefix: 'compiled/', expiration: Duration.days(365) },
    ],
  });
  bucket.policy?.applyRemovalPolicy(RemovalPolicy.RETAIN);
  return bucket;
}

const unprotected =
  'The bucket is of another stack, so its policy cannot be written here. Until that stack adds the ' +
  'statements that SECURITY.md shows, an administrator can rewrite the journal. If the policy of a ' +
  'stack that is gone is there, it refuses the journal to all but a role that is gone, too: nothing ' +
  'can be learnt until it names the role of the function OnlineUpdate of this one.';

/** Who writes the journals of a bucket. */
const journalists = new WeakMap<IBucket, Construct>();

/**
 * S3 itself refuses what would change the past, whatever the caller's own permissions are.
 *
 * @throws MillraceError kind `invalid` if another construct writes the bucket's journals
 */
export function protectHistory(scope: Construct, bucket: IBucket, journalist: IRole): void {
  const other = journalists.get(bucket);
  if (other !== undefined)
    throw invalid(
      `Millrace: bucket: it is that of ${other.node.path}, whose online update alone may write its ` +
        'journals; leave it out, and this one has its own',
    );
  journalists.set(bucket, scope);
  const warn = () => Annotations.of(scope).addWarningV2('millrace:bucket-policy', unprotected);
  // Another stack of the same app would depend on this one, which depends on it.
  if (deployedWith(bucket) !== deployedWith(scope)) {
    warn();
    return;
  }
  const deny = (
    actions: string[],
    resources: readonly string[],
    conditions?: Record<string, Record<string, string>>,
  ) => {
    const { statementAdded } = bucket.addToResourcePolicy(
      new PolicyStatement({
        effect: Effect.DENY,
        principals: [new AnyPrincipal()],
        actions,
        resources: resources.map((pattern) => bucket.arnForObjects(pattern)),
        ...(conditions === undefined ? {} : { conditions }),
      }),
    );
    if (!statementAdded) warn();
  };
  deny(['s3:PutObject'], permanent, {
    // Parts of a multipart upload create nothing; completing it does, and carries the condition.
    Null: { 's3:if-none-match': 'true' },
    Bool: { 's3:ObjectCreationOperation': 'true' },
  });
  deny(['s3:DeleteObject', 's3:DeleteObjectVersion'], permanent);
  deny(['s3:PutObject'], ['models/*/journal/*', 'models/*/segments/*'], {
    ArnNotEquals: { 'aws:PrincipalArn': journalist.roleArn },
  });
}

/** The stack that is deployed with a construct: the outermost of those that are nested. */
function deployedWith(construct: IConstruct): Stack {
  let stack = Stack.of(construct);
  while (stack.nestedStackParent !== undefined) stack = stack.nestedStackParent;
  return stack;
}

/** What somebody may read, write and remove below a bucket, as patterns of keys. */
export type Access = Readonly<Partial<Record<'read' | 'write' | 'remove', readonly string[]>>>;

/** Reading a missing object answers 404 only to those who may list; others get 403. */
export function allow(
  grantee: IGrantable,
  bucket: IBucket,
  { read = [], write = [], remove = [] }: Access,
): void {
  const allowOn = (actions: string[], resources: string[]) =>
    grant(bucket, grantee, { actions, resources });
  const objects = (patterns: readonly string[]) =>
    patterns.map((pattern) => bucket.arnForObjects(pattern));
  if (read.length > 0) {
    allowOn(['s3:ListBucket'], [bucket.bucketArn]);
    allowOn(['s3:GetObject'], objects(read));
  }
  if (write.length > 0) allowOn(['s3:PutObject', 's3:AbortMultipartUpload'], objects(write));
  if (remove.length > 0) allowOn(['s3:DeleteObject'], objects(remove));
  const key = bucket.encryptionKey;
  if (key === undefined) return;
  allowOn(['kms:Decrypt'], [key.keyArn]);
  if (write.length > 0) allowOn(['kms:GenerateDataKey'], [key.keyArn]);
}
