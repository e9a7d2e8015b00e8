import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { App, CfnOutput, Stack } from 'aws-cdk-lib';
import { Template } from 'aws-cdk-lib/assertions';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Millrace, type MillraceProps } from '../../infra/millrace.ts';
import { stackEnvironment } from '../../lib/ports/stack.ts';

/** The stack of a user, with outputs of its own. */
function stackWith(...ids: readonly string[]): Stack {
  return stackOf(ids, {});
}

function stackOf(ids: readonly string[], props: MillraceProps): Stack {
  const app = new App({ context: { 'aws:cdk:bundling-stacks': [] } });
  const stack = new Stack(app, 'Mine');
  for (const id of ids) new Millrace(stack, id, props);
  for (const name of ['WebsiteBucketName', 'AuditBucketName', 'Url', 'ShopJobsQueueUrl'])
    new CfnOutput(stack, name, { value: `of ${name}` });
  return stack;
}

/** What CloudFormation says of a stack's outputs, each with its own name as its value. */
function describedAs(stack: Stack): string {
  const keys = Object.keys(Template.fromStack(stack).findOutputs('*'));
  const members = keys.map(
    (key) => `<member><OutputKey>${key}</OutputKey><OutputValue>${key}</OutputValue></member>`,
  );
  return (
    '<DescribeStacksResponse xmlns="http://cloudformation.amazonaws.com/doc/2010-05-15/">' +
    '<DescribeStacksResult><Stacks><member><StackName>Mine</StackName>' +
    `<Outputs>${members.join('')}</Outputs>` +
    '</member></Stacks></DescribeStacksResult></DescribeStacksResponse>'
  );
}

describe('the outputs of a stack', () => {
  let server: Server;
  let answer = '';

  beforeEach(async () => {
    server = createServer((request, response) => {
      request.resume();
      response.setHeader('content-type', 'text/xml').end(answer);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    vi.stubEnv('AWS_ENDPOINT_URL_CLOUDFORMATION', `http://127.0.0.1:${port}`);
    vi.stubEnv('AWS_REGION', 'us-east-1');
    vi.stubEnv('AWS_ACCESS_KEY_ID', 'nobody');
    vi.stubEnv('AWS_SECRET_ACCESS_KEY', 'nothing');
  });

  afterEach(() => {
    vi.unstubAllEnvs();
    server.close();
  });

  it('are whole without a URL, where a region has none', async () => {
    const stack = stackOf(['Learning'], { predictUrl: false });
    Template.fromStack(stack).resourceCountIs('AWS::Lambda::Url', 0);
    answer = describedAs(stack);
    const found = await stackEnvironment('Mine', {});
    expect(found.MILLRACE_PREDICT_FUNCTION).toMatch(/^Learning/);
    expect(found.MILLRACE_PREDICT_URL).toBeUndefined();
  });

  it('are those of the construct, whatever else is in the stack', async () => {
    answer = describedAs(stackWith('Learning'));
    const found = await stackEnvironment('Mine', {});
    expect(found.MILLRACE_BUCKET).toMatch(/^LearningBucketName/);
    for (const value of Object.values(found)) expect(value).toMatch(/^Learning/);
  });

  it('of two constructs are refused, and of none', async () => {
    answer = describedAs(stackWith('Learning', 'Trying'));
    await expect(stackEnvironment('Mine', {})).rejects.toThrow(
      'Mine has 2 Millrace constructs (Learning and Trying); set MILLRACE_BUCKET',
    );
    answer = describedAs(stackWith());
    await expect(stackEnvironment('Mine', {})).rejects.toThrow('Mine has no output for');
  });
});
