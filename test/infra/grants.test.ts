import { App, Stack } from 'aws-cdk-lib';
import { Match, Template } from 'aws-cdk-lib/assertions';
import { Group, Role, User } from 'aws-cdk-lib/aws-iam';
import { Key } from 'aws-cdk-lib/aws-kms';
import { Topic } from 'aws-cdk-lib/aws-sns';
import { describe, expect, it } from 'vitest';
import { Millrace, type MillraceProps } from '../../infra/millrace.ts';

/** A stack whose names are as long as many are. */
function stackOf(props: MillraceProps = {}, stack = emptyStack()): Stack {
  new Millrace(stack, 'Millrace', props);
  return stack;
}
const emptyStack = () =>
  new Stack(new App({ context: { 'aws:cdk:bundling-stacks': [] } }), 'DemandForecastingProduction');

/** Characters of a policy in CloudFormation, with a name of 60 characters for each reference. */
function lengthOf(document: unknown): number {
  const named = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(named);
    if (typeof value !== 'object' || value === null) return value;
    if ('Ref' in value || 'Fn::GetAtt' in value) return 'x'.repeat(60);
    if ('Fn::Join' in value) {
      const [separator, parts] = value['Fn::Join'] as [string, unknown[]];
      return parts.map(named).join(separator);
    }
    return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, named(each)]));
  };
  return JSON.stringify(named(document)).length;
}

describe('an operator', () => {
  it('has room for all its rights, also as a user or a group, and asked for twice', () => {
    const stack = emptyStack();
    const millrace = new Millrace(stack, 'Millrace');
    for (const each of [
      new User(stack, 'Eve'),
      User.fromUserName(stack, 'Old', 'old'),
      new Group(stack, 'All'),
    ]) {
      millrace.grantOperator(each);
      millrace.grantOperator(each);
    }
    const template = Template.fromStack(stack);
    const managed = Object.values(template.findResources('AWS::IAM::ManagedPolicy'));
    expect(managed.length).toBe(3);
    for (const { Properties } of managed) {
      expect(Properties.Users ?? Properties.Groups).toHaveLength(1);
      expect(lengthOf(Properties.PolicyDocument)).toBeLessThan(6_144);
      expect(JSON.stringify(Properties.PolicyDocument)).toContain('logs:FilterLogEvents');
    }
    const own = Object.values(template.findResources('AWS::IAM::Policy'));
    expect(own.filter(({ Properties: { Users, Groups } }) => Users ?? Groups)).toEqual([]);
  });
});

describe('a topic of alarms', () => {
  it('takes what they say, whatever else its policy and its key refuse', () => {
    const stack = emptyStack();
    const alarmTopic = new Topic(stack, 'Topic', {
      enforceSSL: true,
      masterKey: new Key(stack, 'Key'),
    });
    const template = Template.fromStack(stackOf({ alarmTopic }, stack));
    const allowed = (Action: unknown) => ({
      Statement: Match.arrayWith([
        Match.objectLike({
          Action,
          Effect: 'Allow',
          Principal: { Service: 'cloudwatch.amazonaws.com' },
          Condition: { StringEquals: { 'aws:SourceAccount': { Ref: 'AWS::AccountId' } } },
        }),
      ]),
    });
    const PolicyDocument = Match.objectLike(allowed('sns:Publish'));
    template.hasResourceProperties('AWS::SNS::TopicPolicy', { PolicyDocument });
    const KeyPolicy = Match.objectLike(allowed(['kms:Decrypt', 'kms:GenerateDataKey*']));
    template.hasResourceProperties('AWS::KMS::Key', { KeyPolicy });
  });
});

describe('the roles of functions', () => {
  it('are made here: who sends a command is known by the id of its role', () => {
    const stack = emptyStack();
    Role.customizeRoles(stack);
    expect(() => stackOf({}, stack)).toThrow(/role of .*batch-train.*Role.customizeRoles/);
  });
});

describe('the logs of state machines', () => {
  it('need no place in the policy of the region, and have names of their own', () => {
    const stack = stackOf();
    new Millrace(stack, 'Another');
    const groups = Object.values(Template.fromStack(stack).findResources('AWS::Logs::LogGroup'));
    const names = groups.flatMap(({ Properties: { LogGroupName } }) => LogGroupName ?? []);
    expect(names.length).toBe(6);
    expect(new Set(names).size).toBe(6);
    for (const name of names)
      expect(name).toMatch(/^\/aws\/vendedlogs\/states\/DemandForecastingProduction-[\w-]+$/);
  });
});
