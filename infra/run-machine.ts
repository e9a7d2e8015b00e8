import type { Function as LambdaFunction } from 'aws-cdk-lib/aws-lambda';
import { JsonPath, Pass, type StateMachine } from 'aws-cdk-lib/aws-stepfunctions';
import type { Construct } from 'constructs';
import { allow } from './bucket.ts';
import {
  eachSideBySide,
  invocationOf,
  loggedMachine,
  type MachineSettings,
} from './side-by-side.ts';

/** What is done, and by whom. */
export type RunKind = {
  /** What it is called in the names of its states: `Verify` makes a `VerifyMachine`. */
  readonly name: string;
  /** The field of a request that has the item. */
  readonly item: string;
  readonly worker: LambdaFunction;
  /** The objects that have plans, as a pattern. */
  readonly plans: string;
};

/**
 * A state machine that works on the items of a plan side by side, and then has noted that it is
 * over: whoever waits looks for what each came to, and for what is missing.
 */
export function createRunMachine(
  scope: Construct,
  { name, item, worker, plans }: RunKind,
  { bucket, maxConcurrency, ...settings }: MachineSettings,
): StateMachine {
  const names = {
    item: `${name}Item`,
    isDone: `Is${name}ItemDone`,
    done: `${name}ItemDone`,
    all: `${name}Items`,
    label: `${name}Items`,
  };
  const run = { model: JsonPath.stringAt('$.model'), run: JsonPath.stringAt('$.run') };
  const request = { ...run, [item]: JsonPath.objectAt('$$.Map.Item.Value') };
  const all = eachSideBySide(scope, names, request, { bucket, worker, maxConcurrency });
  const noteEnd = new Pass(scope, `${name}IsOver`, { parameters: { request: run } }).next(
    invocationOf(scope, `Note${name}End`, worker),
  );
  const machine = loggedMachine(
    scope,
    { machine: `${name}Machine`, logs: `${name.toLowerCase()}-machine-logs` },
    all.addCatch(noteEnd, { resultPath: JsonPath.DISCARD }).next(noteEnd),
    settings,
  );
  allow(machine, bucket, { read: [plans] });
  return machine;
}
