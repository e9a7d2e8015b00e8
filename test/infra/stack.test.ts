import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { App, Duration, Size, Stack } from 'aws-cdk-lib';
import { Match, Template } from 'aws-cdk-lib/assertions';
import { Key } from 'aws-cdk-lib/aws-kms';
import { Architecture, Tracing } from 'aws-cdk-lib/aws-lambda';
import { RetentionDays } from 'aws-cdk-lib/aws-logs';
import { Bucket } from 'aws-cdk-lib/aws-s3';
import { ScheduleExpression } from 'aws-cdk-lib/aws-scheduler';
import { describe, expect, inject, it } from 'vitest';
import { readTemplate, resourcesOf } from '../../infra/local/template.ts';
import { Millrace } from '../../infra/millrace.ts';

const assembly = inject('assembly');
const template = Template.fromJSON(
  JSON.parse(readFileSync(join(assembly, 'Millrace.template.json'), 'utf8')),
);

type Statement = {
  Effect: string;
  Action: string | string[];
  Resource: unknown;
  Condition?: object;
};

/** The statements of the role of one function. */
function statementsOf(name: 'onlineupdate' | 'batchtrain' | 'relaycommand'): Statement[] {
  const policies = template.findResources('AWS::IAM::Policy');
  return Object.entries(policies)
    .filter(([logicalId]) => logicalId.includes(name))
    .flatMap(([, policy]) => policy.Properties.PolicyDocument.Statement as Statement[]);
}

describe('the stack', () => {
  it('keeps a bucket that is private, versioned, encrypted and reached by TLS alone', () => {
    template.hasResource('AWS::S3::Bucket', {
      DeletionPolicy: 'Retain',
      Properties: {
        VersioningConfiguration: { Status: 'Enabled' },
        PublicAccessBlockConfiguration: { BlockPublicAcls: true, RestrictPublicBuckets: true },
        BucketEncryption: Match.anyValue(),
      },
    });
    template.hasResourceProperties('AWS::S3::BucketPolicy', {
      PolicyDocument: {
        Statement: Match.arrayWith([
          Match.objectLike({
            Effect: 'Deny',
            Condition: { Bool: { 'aws:SecureTransport': 'false' } },
          }),
        ]),
      },
    });
  });

  it.each(['onlineupdate', 'batchtrain', 'relaycommand'] as const)(
    'grants %s no wildcard actions and no wildcard resources',
    (name) => {
      for (const { Action, Resource } of statementsOf(name)) {
        expect([Action].flat().filter((action) => action.endsWith('*'))).toEqual([]);
        expect(Resource).not.toBe('*');
      }
    },
  );

  it('has FIFO queues without fixed names, with dead letters, that take 1 MiB and need explicit ids', () => {
    const queues = Object.values(template.findResources('AWS::SQS::Queue')).map(
      ({ Properties }) => Properties,
    );
    expect(queues).toHaveLength(6);
    for (const queue of queues) {
      expect(queue).toMatchObject({
        FifoQueue: true,
        ContentBasedDeduplication: false,
        FifoThroughputLimit: 'perMessageGroupId',
        DeduplicationScope: 'messageGroup',
        MaximumMessageSize: 1_048_576,
      });
      expect(queue).not.toHaveProperty('QueueName');
    }
    expect(queues.filter((queue) => queue.RedrivePolicy !== undefined)).toHaveLength(3);
  });

  it('hides messages for six times as long as a function may run', () => {
    // Of those that a queue delivers to.
    const functions = template.findResources('AWS::Lambda::Function');
    const timeouts = Object.values(template.findResources('AWS::Lambda::EventSourceMapping')).map(
      ({ Properties }) => functions[Properties.FunctionName.Ref]?.Properties.Timeout,
    );
    const visibilities = Object.values(template.findResources('AWS::SQS::Queue'))
      .map((queue) => queue.Properties.VisibilityTimeout)
      .filter((timeout) => timeout !== undefined);
    expect(visibilities.sort()).toEqual(timeouts.map((timeout) => timeout * 6).sort());
  });

  it('runs its functions on Node.js 24, arm64, with partial batch responses for samples', () => {
    template.allResourcesProperties('AWS::Lambda::Function', {
      Runtime: 'nodejs24.x',
      Architectures: ['arm64'],
    });
    template.hasResourceProperties('AWS::Lambda::EventSourceMapping', {
      BatchSize: 10,
      FunctionResponseTypes: ['ReportBatchItemFailures'],
    });
    template.hasResourceProperties('AWS::Lambda::EventSourceMapping', { BatchSize: 1 });
    template.resourcePropertiesCountIs('AWS::Lambda::Function', { RecursiveLoop: 'Allow' }, 1);
  });

  it.each([
    [undefined, 'arm64', 'arm64'],
    [Architecture.ARM_64, 'arm64', 'arm64'],
    [Architecture.X86_64, 'x86_64', 'x64'],
  ])('brings the ONNX Runtime of its functions alone: %s', (architecture, name, folder) => {
    const app = new App();
    const stack = new Stack(app, `On-${folder}-${String(architecture !== undefined)}`);
    new Millrace(stack, 'Millrace', architecture === undefined ? {} : { architecture });
    Template.fromStack(stack).allResourcesProperties('AWS::Lambda::Function', {
      Architectures: [name],
    });
    const { directory } = app.synth();
    const [asset = ''] = readdirSync(directory).filter((each) => each.startsWith('asset.'));
    expect(readdirSync(join(directory, asset))).toContain('online-update.mjs');
    const native = 'node_modules/onnxruntime-node/bin/napi-v6';
    expect(readdirSync(join(directory, asset, native))).toEqual(['linux']);
    expect(readdirSync(join(directory, asset, native, 'linux'))).toEqual([folder]);
  });

  it('brings each construct of an app its own ONNX Runtime', () => {
    const app = new App();
    for (const [name, architecture] of Object.entries({
      Intel: Architecture.X86_64,
      Arm: Architecture.ARM_64,
    }))
      new Millrace(new Stack(app, name), 'Millrace', { architecture });
    const { directory } = app.synth();
    const native = 'node_modules/onnxruntime-node/bin/napi-v6/linux';
    const assets = readdirSync(directory).filter((each) => each.startsWith('asset.'));
    const found = assets.flatMap((asset) => readdirSync(join(directory, asset, native)));
    expect(found.sort()).toEqual(['arm64', 'x64']);
  });

  it('answers requests for predictions through a URL that asks for a signature', () => {
    template.resourceCountIs('AWS::Lambda::Url', 1);
    template.hasResourceProperties('AWS::Lambda::Url', { AuthType: 'AWS_IAM' });
    const permissions = Object.values(template.findResources('AWS::Lambda::Permission'));
    expect(permissions.filter(({ Properties }) => Properties.Principal === '*')).toEqual([]);
    expect(Object.keys(template.findOutputs('*')).join()).toMatch(/PredictFunction.*PredictUrl/);
  });

  it('has one asset with a handler of less than 10 MB for each function', () => {
    const functions = resourcesOf(readTemplate(assembly), 'AWS::Lambda::Function');
    expect(functions).toHaveLength(8);
    const assets = functions.map(({ Metadata }) => String(Metadata['aws:asset:path']));
    expect(new Set(assets).size).toBe(1);
    for (const { Properties, Metadata } of functions) {
      const [file] = String(Properties.Handler).split('.');
      const bundle = join(assembly, String(Metadata['aws:asset:path']), `${file}.mjs`);
      expect(statSync(bundle).size).toBeLessThan(10_000_000);
    }
  });

  it('looks every five minutes for labels that did not come', () => {
    const app = new App({ context: { 'aws:cdk:bundling-stacks': [] } });
    const stack = new Stack(app, 'Waiting');
    new Millrace(stack, 'Millrace');
    Template.fromStack(stack).hasResourceProperties('AWS::Scheduler::Schedule', {
      ScheduleExpression: 'rate(5 minutes)',
      Target: {
        Arn: { 'Fn::GetAtt': [Match.stringLikeRegexp('senddefaults'), 'Arn'] },
        RetryPolicy: { MaximumRetryAttempts: 0 },
      },
    });
  });

  it('sends scheduled jobs to the jobs queue, each execution once', () => {
    const app = new App({ context: { 'aws:cdk:bundling-stacks': [] } });
    const stack = new Stack(app, 'Scheduled');
    new Millrace(stack, 'Millrace', {
      schedules: [
        {
          model: 'flights',
          dataset: 'journal',
          schedule: ScheduleExpression.rate(Duration.days(1)),
          start: 'fresh',
        },
      ],
    });
    const schedule = ScheduleExpression.expression('rate(1 dya)');
    const wrong = { model: 'flights', dataset: 'journal', schedule };
    expect(() => new Millrace(stack, 'Wrong', { schedules: [wrong] })).toThrow(
      'schedules.0.schedule: rate(…) must be a count of minutes',
    );
    Template.fromStack(stack).hasResourceProperties('AWS::Scheduler::Schedule', {
      ScheduleExpression: 'rate(1 day)',
      Target: {
        Arn: Match.objectLike({ 'Fn::Join': Match.anyValue() }),
        Input: {
          'Fn::Join': [
            '',
            Match.arrayWith([
              Match.stringLikeRegexp(
                'journal.*MessageDeduplicationId":"flights:schedule-1:<aws.scheduler.scheduled-time>"',
              ),
            ]),
          ],
        },
      },
    });
  });

  it('takes a bucket, a key, a time to keep logs, memory and settings of functions', () => {
    const app = new App({ context: { 'aws:cdk:bundling-stacks': [] } });
    const stack = new Stack(app, 'Own');
    const encryptionKey = new Key(stack, 'Key');
    new Millrace(stack, 'Millrace', {
      bucket: new Bucket(stack, 'Bucket', { encryptionKey }),
      encryptionKey,
      logRetention: RetentionDays.ONE_YEAR,
      memory: Size.mebibytes(3_538),
      functionProps: { tracing: Tracing.ACTIVE, environment: { TEAM: 'demand' } },
    });
    const own = Template.fromStack(stack);
    own.resourceCountIs('AWS::S3::Bucket', 1);
    own.allResourcesProperties('AWS::SQS::Queue', { KmsMasterKeyId: Match.anyValue() });
    own.allResourcesProperties('AWS::Logs::LogGroup', { RetentionInDays: 365 });
    own.allResourcesProperties('AWS::Lambda::Function', {
      TracingConfig: { Mode: 'Active' },
      Environment: { Variables: Match.objectLike({ TEAM: 'demand' }) },
    });
    own.resourcePropertiesCountIs('AWS::Lambda::Function', { MemorySize: 3_538 }, 6);
    // Whoever uses the bucket or its queues may use the key; maps only start and stop themselves,
    // and a schedule invokes a function.
    const policies = Object.entries(own.findResources('AWS::IAM::Policy'));
    const withoutKey = policies.filter(
      ([, policy]) => !JSON.stringify(policy).includes('kms:Decrypt'),
    );
    expect(policies).toHaveLength(15);
    expect(withoutKey.map(([id]) => id)).toEqual([
      expect.stringContaining('DistributedMapPolicy'),
      expect.stringContaining('DistributedMapPolicy'),
      expect.stringContaining('DistributedMapPolicy'),
      expect.stringContaining('SchedulerRole'),
    ]);
  });

  it('bounds what batch work takes of the concurrency of the account', () => {
    const app = new App({ context: { 'aws:cdk:bundling-stacks': [] } });
    const stack = new Stack(app, 'Bounded');
    const preparation = { maxConcurrency: 7, partSize: Size.mebibytes(32) };
    new Millrace(stack, 'Millrace', { jobConcurrency: 5, preparation });
    const usual = new Stack(app, 'Usual');
    new Millrace(usual, 'Millrace');
    const own = Template.fromStack(stack);
    own.hasResourceProperties('AWS::Lambda::EventSourceMapping', {
      BatchSize: 1,
      ScalingConfig: { MaximumConcurrency: 5 },
    });
    // (What jobs prepare, and those that try specs.)
    own.resourcePropertiesCountIs(
      'AWS::Lambda::Function',
      { Environment: { Variables: Match.objectLike({ MILLRACE_PART_BYTES: '33554432' }) } },
      2,
    );
    // Memory that shards were read into is kept for the next ones, far below what the function has.
    own.hasResourceProperties('AWS::Lambda::Function', {
      Environment: {
        Variables: Match.objectLike({
          POWERTOOLS_SERVICE_NAME: 'batch-train',
          MALLOC_MMAP_THRESHOLD_: '134217728',
          MALLOC_TRIM_THRESHOLD_: '268435456',
        }),
      },
    });
    // Without a word, a thousand jobs of one night leave the rest of an account to the streams.
    Template.fromStack(usual).hasResourceProperties('AWS::Lambda::EventSourceMapping', {
      BatchSize: 1,
      ScalingConfig: { MaximumConcurrency: 100 },
    });
    const [machine] = Object.values(own.findResources('AWS::StepFunctions::StateMachine'));
    expect(JSON.stringify(machine)).toContain('\\"MaxConcurrency\\":7');
  });
});
