import { App, NestedStack, Stack } from 'aws-cdk-lib';
import { Annotations, Match, Template } from 'aws-cdk-lib/assertions';
import { AccountRootPrincipal, Role } from 'aws-cdk-lib/aws-iam';
import { Bucket } from 'aws-cdk-lib/aws-s3';
import { describe, expect, it } from 'vitest';
import { Millrace } from '../../infra/millrace.ts';

describe('the construct beside what others have', () => {
  const unbundled = () => new App({ context: { 'aws:cdk:bundling-stacks': [] } });
  const warningsOf = (stack: Stack) =>
    Annotations.fromStack(stack)
      .findWarning('*', Match.anyValue())
      .map(({ entry }) => String(entry.data));

  it.each([
    ['by its name', (stack: Stack) => Bucket.fromBucketName(stack, 'Bucket', 'models-of-ours')],
    ['of another stack', ({ node }: Stack) => new Bucket(new Stack(node.root, 'Data'), 'Bucket')],
  ])('warns of a bucket %s, whose policy it cannot write', (_, bucketFor) => {
    const app = unbundled();
    const stack = new Stack(app, 'Foreign');
    new Millrace(stack, 'Millrace', { bucket: bucketFor(stack) });
    app.synth();
    expect(warningsOf(stack).join()).toContain('SECURITY.md');
  });

  it('protects the journal in a bucket that is deployed with it', () => {
    const app = unbundled();
    const stack = new Stack(app, 'Outer');
    const nested = new NestedStack(stack, 'Nested');
    new Millrace(nested, 'Millrace', { bucket: new Bucket(stack, 'Bucket') });
    app.synth();
    const statements = Match.arrayWith([Match.objectLike({ Effect: 'Deny' })]);
    Template.fromStack(stack).hasResourceProperties('AWS::S3::BucketPolicy', {
      PolicyDocument: { Statement: statements },
    });
  });

  it('shares no bucket with another one: each would refuse the other its journal', () => {
    const stack = new Stack(unbundled(), 'Shared');
    const { bucket } = new Millrace(stack, 'One');
    expect(() => new Millrace(stack, 'Other', { bucket })).toThrow(
      'bucket: it is that of Shared/One, whose online update alone may write its journals',
    );
  });

  it('says what a bucket that was kept refuses a new stack', () => {
    const stack = new Stack(unbundled(), 'Anew');
    const bucket = Bucket.fromBucketName(stack, 'Bucket', 'models-of-ours');
    new Millrace(stack, 'Millrace', { bucket });
    expect(warningsOf(stack).join()).toContain('nothing can be learnt until it names the role of');
  });

  it('moves no schedule to a group: CloudFormation would look for it there', () => {
    const stack = new Stack(unbundled(), 'Scheduled');
    new Millrace(stack, 'Millrace');
    const ids = Object.keys(Template.fromStack(stack).findResources('AWS::Scheduler::Schedule'));
    // (As it was called without one.)
    expect(ids).not.toContain('MillraceDefaultsB470D738');
    expect(ids).toHaveLength(1);
  });

  it('warns of nobody who has what he needs by a policy of another stack', () => {
    const app = unbundled();
    const stack = new Stack(app, 'Here', { env: { account: '111122223333', region: 'eu-west-1' } });
    const there = new Stack(app, 'There', {
      env: { account: '444455556666', region: 'eu-west-1' },
    });
    const bucket = Bucket.fromBucketName(there, 'Bucket', 'models-of-ours');
    const millrace = new Millrace(stack, 'Millrace', { bucket });
    millrace.grantRead(new Role(there, 'Role', { assumedBy: new AccountRootPrincipal() }));
    expect(warningsOf(there)).toEqual([]);
    expect(warningsOf(stack).join()).not.toContain('granted');
  });

  it('warns of somebody whom it cannot grant anything', () => {
    const stack = new Stack(unbundled(), 'Granting', { env: { account: '111122223333' } });
    const millrace = new Millrace(stack, 'Millrace');
    expect(warningsOf(stack)).toEqual([]);
    const roleOf = (account: string) =>
      Role.fromRoleArn(stack, account, `arn:aws:iam::${account}:role/till`);
    millrace.grantProducer(roleOf('111122223333'));
    expect(warningsOf(stack)).toEqual([]);
    millrace.grantProducer(roleOf('444455556666'));
    millrace.grantPredict(new AccountRootPrincipal());
    for (const action of ['sqs:SendMessage', 'lambda:InvokeFunction'])
      expect(warningsOf(stack).join()).toContain(`It lacks ${action}`);
  });

  it('is heard apart from another one in its stack, and from schedules of others', () => {
    const stack = new Stack(unbundled(), 'Two');
    new Millrace(stack, 'One');
    new Millrace(stack, 'Other');
    const alarms = Object.values(Template.fromStack(stack).findResources('AWS::CloudWatch::Alarm'));
    const watched = (name: string) =>
      alarms.flatMap(({ Properties: { MetricName, Namespace, Dimensions } }) =>
        MetricName === name ? [JSON.stringify([Namespace, Dimensions])] : [],
      );
    expect(new Set(watched('ModelsStopped')).size).toBe(2);
    expect(watched('ModelsStopped')[0]).toContain('"Millrace/Two"');
    expect(new Set(watched('TargetErrorCount')).size).toBe(2);
    expect(watched('TargetErrorCount').join()).not.toContain('"default"');
  });
});
