import { App, Size, Stack } from 'aws-cdk-lib';
import { Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import { Architecture } from 'aws-cdk-lib/aws-lambda';
import { describe, expect, it } from 'vitest';
import { Millrace } from '../../infra/millrace.ts';

const account = new Stack(new App(), 'Account');
const role = new Role(account, 'Role', { assumedBy: new ServicePrincipal('lambda.amazonaws.com') });

describe('the settings of the construct', () => {
  it.each([
    [{ jobConcurrency: 0 }, 'jobConcurrency: must be a whole number from 2 to 1000 (found 0)'],
    [{ jobConcurrency: Number.NaN }, 'jobConcurrency: must be a whole number from 2 to 1000'],
    [{ jobConcurrency: 2.5 }, '(found 2.5)'],
    [{ preparation: { maxConcurrency: 0 } }, 'preparation.maxConcurrency: must be a whole number'],
    [
      { preparation: { partSize: Size.bytes(0) } },
      'preparation.partSize: must be a Size from 1 to',
    ],
    [
      { preparation: { partSize: Size.tebibytes(1) } },
      '1024 MiB, in whole bytes (found 1099511627776',
    ],
    [{ preparation: { partSize: Size.bytes(2_000_000.5) } }, '(found 2000000.5 bytes)'],
    [{ memory: Size.mebibytes(64) }, 'memory: must be a Size from 256 to 10240 MiB'],
    [{ functionProps: { functionName: 'learner' } }, 'functionProps.functionName: one name'],
    [{ functionProps: { memorySize: 512 } }, 'functionProps.memorySize: say `memory`'],
    [{ functionProps: { architecture: Architecture.X86_64 } }, 'say `architecture` of the'],
    [{ functionProps: { role } }, 'functionProps.role: each function has its own'],
    [{ memory: Size.gibibytes(20), jobConcurrency: 1 }, '; jobConcurrency: must be'],
  ])('are refused where AWS would refuse them, or take them for no bound: %j', (props, reason) => {
    const stack = new Stack(new App({ context: { 'aws:cdk:bundling-stacks': [] } }), 'Odd');
    expect(() => new Millrace(stack, 'Millrace', props)).toThrow(reason);
  });
});
