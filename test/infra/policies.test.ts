import { App, Stack } from 'aws-cdk-lib';
import { Template } from 'aws-cdk-lib/assertions';
import { Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import { beforeAll, describe, expect, it } from 'vitest';
import { Millrace } from '../../infra/millrace.ts';
import { keys } from '../../lib/bucket/keys.ts';
import { newJobId } from '../../lib/spec/names.ts';
import {
  isAllowed,
  patternOf,
  type Request,
  readStatement,
  type Statement,
  speaksOf,
} from './evaluate-policy.ts';
import { recordRequests } from './record-requests.ts';

const roles = [
  'online-update',
  'batch-train',
  'prepare-part',
  'verify-stretch',
  'run-trial',
  'relay-command',
  'send-defaults',
  'predict',
  'Producer',
  'Asker',
  'Reader',
  'Operator',
];

/** A stack with somebody for each grant. */
function synthesize() {
  const app = new App({ context: { 'aws:cdk:bundling-stacks': [] } });
  const stack = new Stack(app, 'Granted');
  const millrace = new Millrace(stack, 'Millrace');
  const somebody = (id: string) =>
    new Role(stack, id, { assumedBy: new ServicePrincipal('ecs-tasks.amazonaws.com') });
  millrace.grantProducer(somebody('Producer'));
  millrace.grantPredict(somebody('Asker'));
  millrace.grantRead(somebody('Reader'));
  millrace.grantOperator(somebody('Operator'));
  return Template.fromStack(stack);
}

const template = synthesize();
const [bucket = ''] = Object.keys(template.findResources('AWS::S3::Bucket'));
const queueIds = Object.keys(template.findResources('AWS::SQS::Queue'));
const [predictId = ''] = Object.keys(template.findResources('AWS::Lambda::Function')).filter((id) =>
  id.includes('predict'),
);
const logGroupIds = Object.keys(template.findResources('AWS::Logs::LogGroup')).filter(
  (id) => !id.includes('machine'),
);
const machineIds = Object.keys(template.findResources('AWS::StepFunctions::StateMachine'));
/** What is not in the bucket is named by its logical id. */
const stackId = 'AWS::StackId';
const isNamed = (resource: string) =>
  [...queueIds, ...logGroupIds, ...machineIds, predictId, stackId].includes(resource);
const queueOf = (name: string) =>
  queueIds.find((id) => new RegExp(`^Millrace${name}[0-9A-F]{8}$`).test(id)) ?? '';

/** The statements of a role's own policies, and its logical id. */
function ownOf(role: string): { readonly id: string; readonly statements: readonly Statement[] } {
  const name = role.replaceAll('-', '');
  const id =
    Object.keys(template.findResources('AWS::IAM::Role')).find((each) => each.includes(name)) ?? '';
  const policies = Object.values(template.findResources('AWS::IAM::Policy')).filter(
    ({ Properties }) => JSON.stringify(Properties.Roles).includes(id),
  );
  const statements = policies.flatMap(({ Properties }) =>
    Properties.PolicyDocument.Statement.map(readStatement),
  );
  return { id, statements };
}

const bucketStatements: readonly Statement[] = Object.values(
  template.findResources('AWS::S3::BucketPolicy'),
).flatMap(({ Properties }) => Properties.PolicyDocument.Statement.map(readStatement));

/** Somebody who may do anything that is not denied: an administrator of the account. */
const everything: Statement = { effect: 'Allow', actions: ['*'], resources: ['*'], conditions: {} };

function may(role: string, request: Request): boolean {
  const { id, statements } =
    role === 'administrator' ? { id: 'root', statements: [everything] } : ownOf(role);
  const context = {
    'aws:PrincipalArn': id,
    'aws:SecureTransport': 'true',
    's3:ObjectCreationOperation': 'true',
    ...request.context,
  };
  const resource = isNamed(request.resource)
    ? request.resource
    : [bucket, request.resource].filter((part) => part !== '').join('/');
  return isAllowed([...statements, ...bucketStatements], { ...request, resource, context });
}

const once = { 's3:if-none-match': '*' };
const put = (key: string, context = {}): Request => ({
  action: 's3:PutObject',
  resource: key,
  context,
});
const remove = (key: string): Request => ({ action: 's3:DeleteObject', resource: key });

function resourceOf({ action, resource }: Request): string {
  if (action.startsWith('sqs:')) return queueOf(resource);
  if (action.startsWith('states:')) return machineIds.find((id) => id.includes(resource)) ?? '';
  return action.startsWith('lambda:') ? predictId : resource;
}

/** What Lambda does for a function's queue, by the same role. */
const ofLambda = /^sqs:(ReceiveMessage|DeleteMessage|ChangeMessageVisibility|Get.*)$/;

describe('the policies of the stack', () => {
  let requests: readonly (Request & { readonly role: string })[] = [];
  beforeAll(async () => {
    const recorded = await recordRequests();
    const ofLogs = logGroupIds.map((resource) => ({
      role: 'Operator',
      action: 'logs:FilterLogEvents',
      resource,
    }));
    // (`--stack`, whose request test/infra/stack-outputs.test.ts makes.)
    const ofStack = {
      role: 'Operator',
      action: 'cloudformation:DescribeStacks',
      resource: stackId,
    };
    requests = [...recorded, ...ofLogs, ofStack].map((each) => ({
      ...each,
      resource: resourceOf(each),
    }));
  });

  it('allow everything that the code does', () => {
    expect(new Set(requests.map(({ role }) => role))).toEqual(new Set(roles));
    const denied = requests.filter((request) => !may(request.role, request));
    expect(denied).toEqual([]);
  });

  it('allow nothing that the code does not do', () => {
    const unused = roles.flatMap((role) => {
      const { id, statements } = ownOf(role);
      const own = requests.filter((request) => request.role === role);
      return statements.flatMap((statement) =>
        statement.actions.flatMap((action) =>
          statement.resources.flatMap((resource) => {
            const only = { ...statement, actions: [action], resources: [resource] };
            const isUsed = own.some((request) => {
              const named = isNamed(request.resource)
                ? request.resource
                : [bucket, request.resource].filter((part) => part !== '').join('/');
              return speaksOf(only, { ...request, resource: named });
            });
            const isLambdas = id.includes('ServiceRole') && ofLambda.test(action);
            // An upload that breaks off is aborted by whoever may make it.
            const isAbort = action === 's3:AbortMultipartUpload';
            return isUsed || isLambdas || isAbort ? [] : [`${role}: ${action} ${resource}`];
          }),
        ),
      );
    });
    expect(unused).toEqual([]);
  });

  it('let nobody replace or delete what a fold needs, not even an administrator', () => {
    const history = [
      keys.entry('m', 1),
      keys.spec('m'),
      keys.resend('m', 1),
      keys.job('m', 'j'),
      keys.challenger('m', 'j'),
      keys.initialWeights('a'.repeat(64)),
    ];
    for (const key of history) {
      for (const role of [...roles, 'administrator']) {
        expect(may(role, put(key)), `${role} ${key}`).toBe(false);
        expect(may(role, remove(key)), `${role} ${key}`).toBe(false);
        expect(may(role, { ...remove(key), action: 's3:DeleteObjectVersion' })).toBe(false);
      }
    }
    // Parts of an upload create nothing.
    const part = { 's3:ObjectCreationOperation': 'false' };
    expect(may('online-update', put(keys.entry('m', 1), part))).toBe(true);
    expect(may('administrator', put(keys.state('m')))).toBe(true);
  });

  it('take no job for something else because of its name', () => {
    const [id, hash, pair] = ['plain', 'a'.repeat(64), { first: 1, last: 2 }];
    const below = [
      ...[keys.spec('m'), keys.laterSpec('m', hash), keys.state('m'), keys.entry('m', 1)],
      ...[keys.segment('m', pair), keys.checkpoint('m', 1), keys.quarantine('m', id)],
      ...[keys.resend('m', 1), keys.job('m', id), keys.lane('m', id), keys.progress('m', id)],
      ...[keys.challenger('m', id), keys.caughtUp('m', id)],
    ];
    const words = new Set(below.flatMap((key) => key.split('/').map((part) => part.split('.')[0])));
    const names = [...words].filter((word) => newJobId.safeParse(word).success);
    expect(names).toContain(id);
    const ofJob = ['job', 'lane', 'progress', 'challenger', 'caughtUp', 'quarantine'] as const;
    for (const name of names) {
      for (const [key, role, context] of ofJob.flatMap((each) =>
        roles.flatMap((of) => [[each, of, {}] as const, [each, of, once] as const]),
      ))
        expect(may(role, put(keys[key]('m', name ?? ''), context)), `${role} ${key} ${name}`).toBe(
          may(role, put(keys[key]('m', id), context)),
        );
    }
  });

  it('let the online update alone create journal entries and publish states', () => {
    for (const role of [...roles, 'administrator']) {
      const isOnline = role === 'online-update';
      expect(may(role, put(keys.entry('m', 1), once)), role).toBe(isOnline);
      if (role !== 'administrator') expect(may(role, put(keys.state('m'))), role).toBe(isOnline);
    }
  });

  it('let the state machines read plans, and nothing else of the bucket', () => {
    const get = (resource: string): Request => ({ action: 's3:GetObject', resource });
    expect(may('PartsMachine', get('prepared/a/parts.json'))).toBe(true);
    for (const key of ['prepared/a/shard-00000.safetensors', 'models/a/spec.json', 'datasets/a/b'])
      expect({ key, may: may('PartsMachine', get(key)) }).toEqual({ key, may: false });
    expect(may('PartsMachine', put('prepared/a/parts.json'))).toBe(false);
    expect(may('prepare-part', put('models/a/jobs/b/lane.safetensors'))).toBe(false);
    expect(may('VerifyMachine', get('verified/a/b/plan.json'))).toBe(true);
    expect(may('VerifyMachine', get('verified/a/b/6.json'))).toBe(false);
    expect(may('SweepMachine', get('trials/a/b/plan.json'))).toBe(true);
    expect(may('SweepMachine', get('trials/a/b/1/models/a/spec.json'))).toBe(false);
    for (const key of [keys.spec('m'), keys.lane('m', 'j'), 'verified/a/b/6.json'])
      expect(may('run-trial', put(key))).toBe(false);
    expect(may('verify-stretch', put('verified/a/b/6.json'))).toBe(true);
    for (const key of [keys.state('m'), keys.checkpoint('m', 1), 'prepared/a/manifest.json'])
      expect(may('verify-stretch', put(key))).toBe(false);
  });

  it('tell apart who may teach, who may start jobs, and who may take back', () => {
    const send = (queue: string) => ({ action: 'sqs:SendMessage', resource: queueOf(queue) });
    const allowed = (queue: string) => roles.filter((role) => may(role, send(queue)));
    expect(allowed('Samples')).toEqual([
      'batch-train',
      'relay-command',
      'send-defaults',
      'Producer',
      'Operator',
    ]);
    expect(allowed('Jobs')).toEqual(['online-update', 'batch-train', 'Operator']);
    expect(allowed('Commands')).toEqual(['Operator']);
  });

  it('keep bucket and policy when the stack goes, and refuse a request without TLS', () => {
    template.hasResource('AWS::S3::BucketPolicy', { DeletionPolicy: 'Retain' });
    const plain = { 'aws:SecureTransport': 'false' };
    expect(may('administrator', put(keys.state('m'), plain))).toBe(false);
  });

  it("name the stack's own roles as those that may send commands", () => {
    const functions = Object.values(template.findResources('AWS::Lambda::Function'));
    const senders = functions.flatMap(({ Properties }) => {
      const own = Properties.Environment?.Variables?.MILLRACE_COMMAND_SENDERS;
      return own === undefined ? [] : [patternOf(own)];
    });
    expect(senders).toEqual([`${ownOf('batch-train').id},${ownOf('relay-command').id}`]);
  });
});
