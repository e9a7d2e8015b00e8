import { App, CfnParameter, Size, Stack, TimeZone } from 'aws-cdk-lib';
import { Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import { Key } from 'aws-cdk-lib/aws-kms';
import { Architecture } from 'aws-cdk-lib/aws-lambda';
import { Bucket } from 'aws-cdk-lib/aws-s3';
import { ScheduleExpression } from 'aws-cdk-lib/aws-scheduler';
import { describe, expect, it } from 'vitest';
import { Millrace, type MillraceProps } from '../../infra/millrace.ts';

const account = new Stack(new App(), 'Account');
const deployed = new CfnParameter(account, 'Memory', { type: 'Number' });
const alias = new Key(account, 'Key').addAlias('alias/millrace');
const encryptedByAlias = new Bucket(account, 'Bucket', { encryptionKey: alias });
const role = new Role(account, 'Role', { assumedBy: new ServicePrincipal('lambda.amazonaws.com') });

const on = (zone: TimeZone) => ScheduleExpression.expression('cron(0 3 * * ? *)', zone);
const nightly = { model: 'demand', dataset: 'journal', schedule: on(TimeZone.of('Europe/Vienna')) };

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
    [{ functionProps: { logRemovalPolicy: 'retain' } }, 'functionProps.logRemovalPolicy: logs go'],
    [{ functionProps: 'vpc' }, 'functionProps: must be an object (found "vpc")'],
    [{ memory: Size.gibibytes(20), jobConcurrency: 1 }, '; jobConcurrency: must be'],
    [{ memory: Size.mebibytes(deployed.valueAsNumber) }, 'that only the deployment knows)'],
    [{ preparation: 7 }, 'preparation: must be an object (found 7)'],
    [{ preparation: { memroy: 1 } }, 'preparation: unknown field "memroy"; allowed: max'],
    [{ bucket: 'name' }, 'bucket: must be a Bucket (found "name")'],
    [{ encryptionKey: null }, 'encryptionKey: must be a Key (found null)'],
    [{ encryptionKey: alias }, 'encryptionKey: must be a key, not the alias of one'],
    [{ bucket: encryptedByAlias }, 'bucket.encryptionKey: must be a key, not the alias of one'],
    [{ predictUrl: 'no' }, 'predictUrl: must be true or false (found "no")'],
    [
      { functionProps: { reservedConcurrentExecutions: 5 } },
      'functionProps.reservedConcurrentExecutions: all functions would have as many',
    ],
    [{ alarmTopic: 'arn' }, 'alarmTopic: must be a Topic (found "arn")'],
    [{ architecture: 'arm64' }, 'architecture: must be Architecture.ARM_64 or X86_64 (found "arm'],
    [{ architecture: Architecture.custom('riscv') }, 'architecture: must be'],
    [{ logRetention: 42 }, 'logRetention: must be one of RetentionDays'],
    [{ memroy: 512 }, 'props: unknown field "memroy"; allowed: schedules, bucket,'],
    [{ bucket: { bucketArn: 'arn' } }, 'bucket: must be a Bucket (found {"bucketArn"'],
    [{ functionProps: { runtime: 'node' } }, 'functionProps.runtime: it is that of the code'],
    [{ functionProps: { events: [] } }, 'functionProps.events: all functions would take them'],
    [{ schedules: {} }, 'schedules: must be a list (found {})'],
    [
      { schedules: [{ ...nightly, schedule: on(TimeZone.of('Mars/Base')) }] },
      'schedules.0.schedule: its time zone must be one of the IANA database',
    ],
    [{ schedules: [null] }, 'schedules.0: must be a scheduled job (found null)'],
    [null, 'props must be an object (found null)'],
  ])('are refused where AWS would refuse them, or take them for no bound: %j', (props, reason) => {
    const stack = new Stack(new App({ context: { 'aws:cdk:bundling-stacks': [] } }), 'Odd');
    // (As programs without types give them.)
    expect(() => new Millrace(stack, 'Millrace', props as MillraceProps)).toThrow(reason);
  });

  it('may be known to the deployment alone where AWS looks at them', () => {
    const stack = new Stack(new App({ context: { 'aws:cdk:bundling-stacks': [] } }), 'Later');
    const number = (id: string) => new CfnParameter(stack, id, { type: 'Number' }).valueAsNumber;
    const later = {
      jobConcurrency: number('Jobs'),
      logRetention: number('Days'),
      schedules: [nightly],
    };
    expect(() => new Millrace(stack, 'Millrace', later)).not.toThrow();
  });
});
