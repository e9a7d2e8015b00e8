import type { Function as LambdaFunction } from 'aws-cdk-lib/aws-lambda';
import type { RetentionDays } from 'aws-cdk-lib/aws-logs';
import type { IBucket } from 'aws-cdk-lib/aws-s3';
import { JsonPath, Pass, type StateMachine } from 'aws-cdk-lib/aws-stepfunctions';
import type { Construct } from 'constructs';
import { allow } from './bucket.ts';
import { eachSideBySide, invocationOf, loggedMachine } from './side-by-side.ts';

/** What long journals are verified with. */
export type VerifyMachineSettings = {
  readonly bucket: IBucket;
  readonly verifyStretch: LambdaFunction;
  /** Stretches that are folded at once, of each journal. */
  readonly maxConcurrency: number;
  readonly logRetention: RetentionDays;
  readonly isTraced: boolean;
};

/**
 * The state machine that folds the stretches of a journal again side by side, and then notes that
 * it is over: whoever waits looks for what each came to, and for what is missing.
 */
export function createVerifyMachine(
  scope: Construct,
  { bucket, verifyStretch: worker, maxConcurrency, ...settings }: VerifyMachineSettings,
): StateMachine {
  const names = {
    item: 'VerifyStretch',
    isDone: 'IsStretchDone',
    done: 'StretchDone',
    all: 'VerifyStretches',
    label: 'Stretches',
  };
  const run = { model: JsonPath.stringAt('$.model'), run: JsonPath.stringAt('$.run') };
  const request = { ...run, stretch: JsonPath.objectAt('$$.Map.Item.Value') };
  const all = eachSideBySide(scope, names, request, { bucket, worker, maxConcurrency });
  const noteEnd = new Pass(scope, 'AllAreOver', { parameters: { request: run } }).next(
    invocationOf(scope, 'NoteEnd', worker),
  );
  const machine = loggedMachine(
    scope,
    { machine: 'VerifyMachine', logs: 'verify-machine-logs' },
    all.addCatch(noteEnd, { resultPath: JsonPath.DISCARD }).next(noteEnd),
    settings,
  );
  allow(machine, bucket, { read: ['verified/*/plan.json'] });
  return machine;
}
