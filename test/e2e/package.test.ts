import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { projectDirectory } from '../../infra/local/synthesize.ts';
import { followTutorial, lookAfterModel } from '../support/tutorial.ts';

const program = (name: string) => join(projectDirectory, 'node_modules', name);
const compiler = program('typescript/bin/tsc');

const compilerOptions = {
  strict: true,
  module: 'nodenext',
  target: 'es2023',
  noEmit: true,
  types: ['node'],
  typeRoots: [program('@types')],
};

const service = `
import { connect, createModel, createProducer, defineSpec, openModel, type SampleOf } from 'millrace';
import { startLocal } from 'millrace/local';
import { describeModel } from 'millrace/operations';

const demand = defineSpec({
  model: 'demand',
  task: 'regression',
  features: {
    hour: { type: 'number' },
    shop: { type: 'category', buckets: 1_000 },
    weather: { type: 'category', values: ['sun', 'rain'], missing: 'sun' },
  },
});
const sale: SampleOf<typeof demand> = { features: { hour: 1, shop: 'Ghent' }, label: 3 };
// @ts-expect-error a feature is misspelt
const misspelt: SampleOf<typeof demand> = { features: { hours: 1, shop: 'Ghent' }, label: 3 };
// @ts-expect-error the label of a regression is a number
const wrong: SampleOf<typeof demand> = { features: { hour: 1, shop: 'Ghent' }, label: 'three' };
const late: SampleOf<typeof demand> = { id: 'order-7', label: 3, weight: 2 };
// @ts-expect-error neither features nor the id of what was asked
const nothing: SampleOf<typeof demand> = { label: 3 };

const lacking = defineSpec({
  model: 'other',
  task: 'regression',
  missing: 'learnt',
  features: { hour: { type: 'number' }, day: { type: 'number' } },
});
const part: SampleOf<typeof lacking> = { features: { hour: 1 }, label: 3 };
void [misspelt, wrong, late, nothing, part];

const stack = await startLocal();
const ports = await connect({ environment: stack.environment });
await createModel(ports, demand);
await createProducer(ports.sendSamples, demand, 'till').send([sale, sale]);
const model = await openModel(ports, demand);
const atLeast = { producer: 'till', seq: 1 };
for (;;) {
  const answer = await model.predict([{ features: { hour: 1, shop: 'Ghent' } }], { atLeast });
  if (!answer.ok) continue;
  console.log(JSON.stringify(answer.predictions));
  break;
}
console.log((await describeModel(ports, 'demand')).learnt, model.state().sequence);
await stack.stop();
`;

const app = `
import { App, Duration, Size, Stack } from 'aws-cdk-lib';
import { ScheduleExpression } from 'aws-cdk-lib/aws-scheduler';
import { Millrace } from 'millrace/cdk';

const app = new App({ outdir: 'cdk.out' });
const millrace = new Millrace(new Stack(app, 'Learning'), 'Millrace', {
  schedules: [
    { model: 'demand', dataset: 'journal', schedule: ScheduleExpression.rate(Duration.days(1)) },
  ],
  memory: Size.mebibytes(2_048),
});
console.log(millrace.alarms.length);
app.synth();
`;

describe('the package', () => {
  const folder = mkdtempSync(join(tmpdir(), 'millrace-package-'));
  const built = join(folder, 'dist');
  let tarball: string;
  afterAll(() => rmSync(folder, { recursive: true }));

  /** Runs a program as in a shell of its own: nothing of the project is in its environment. */
  const run = (file: string, args: readonly string[], cwd: string) =>
    new Promise<{ status: number; output: string }>((resolve) => {
      const { PATH = '', HOME = '' } = process.env;
      // The project's own Node, whichever stands first on the machine.
      const env = { HOME, PATH: `${dirname(process.execPath)}:${PATH}` };
      execFile(file, args, { cwd, env }, (error, stdout, stderr) =>
        resolve({
          status: error === null ? 0 : typeof error.code === 'number' ? error.code : 1,
          output: stdout + stderr,
        }),
      );
    });

  /** An empty project into which the tarball is installed, without a registry. */
  const install = async (name: string) => {
    const project = join(folder, name);
    mkdirSync(project);
    writeFileSync(join(project, 'package.json'), '{"private": true, "type": "module"}');
    writeFileSync(
      join(project, 'tsconfig.json'),
      JSON.stringify({ compilerOptions, files: ['main.ts'] }),
    );
    const installed = await run('npm', ['install', '--offline', tarball], project);
    expect(installed.status, installed.output).toBe(0);
    return project;
  };

  beforeAll(async () => {
    const build = join(projectDirectory, 'infra/package/build.ts');
    const made = await run(process.execPath, [build, built], projectDirectory);
    expect(made.status, made.output).toBe(0);
    tarball = join(built, readdirSync(built).find((file) => file.endsWith('.tgz')) ?? '');
  });

  it('is what package managers and compilers expect', async () => {
    const linted = await run(process.execPath, [program('publint/src/cli.js'), built], folder);
    expect(linted.output).toContain('All good!');
    const attw = program('@arethetypeswrong/cli/dist/index.js');
    const typed = await run(process.execPath, [attw, tarball, '--profile', 'esm-only'], folder);
    expect(typed.status, typed.output).toBe(0);
  });

  it('loads neither tfjs nor an SDK for what only declares, sends or asks', () => {
    const waiting = ['millrace.js'];
    const loaded = new Map<string, string>();
    for (let file = waiting.pop(); file !== undefined; file = waiting.pop()) {
      if (loaded.has(file)) continue;
      const text = readFileSync(join(built, file), 'utf8');
      loaded.set(file, text);
      for (const [, next = ''] of text.matchAll(/(?:from|import) ?"\.\/([^"]+)"/g))
        waiting.push(next);
    }
    const code = [...loaded.values()].join();
    expect(loaded.size).toBeGreaterThan(5);
    expect(code).not.toMatch(/registerKernel|AwsSdkSigV4/);
    expect(code.length).toBeLessThan(600_000);
  });

  it('runs in a service: types, the local stack, learning and answers', async () => {
    const project = await install('service');
    writeFileSync(join(project, 'main.ts'), service);
    const checked = await run(process.execPath, [compiler], project);
    expect(checked, checked.output).toMatchObject({ status: 0 });
    // The one that runs this, and another that a consumer may have.
    const others = (process.env.MILLRACE_OTHER_NODES ?? '').split(':').filter(Boolean);
    for (const node of [process.execPath, ...others]) {
      const ran = await run(node, ['--disable-warning=ExperimentalWarning', 'main.ts'], project);
      expect(ran.output).toMatch(/^\[\{"value":[\d.]+\}\]\n2 1\n/);
    }
  });

  it('is all that the tutorial and docs/operations.md need, in an empty folder', async () => {
    const project = await install('newcomer');
    symlinkSync(program('vega-datasets'), join(project, 'node_modules/vega-datasets'));
    const { HOME = '', PATH = '' } = process.env;
    const env = { HOME, PATH: `${dirname(process.execPath)}:${PATH}` };
    const bin = join(project, 'node_modules/.bin');
    const local = spawn(join(bin, 'millrace'), ['local'], { cwd: project, env });
    try {
      const [, address] = await new Promise<readonly string[]>((resolve, reject) => {
        let said = '';
        local.stdout.on('data', (text) => {
          said += text;
          const found = /The stack runs on (\S+);/.exec(said);
          if (found !== null) resolve(found);
        });
        local.once('exit', () => reject(new Error(said)));
      });
      expect(address).toMatch(/^http:/);
      await followTutorial(project, bin);
      await lookAfterModel(project, bin);
    } finally {
      // (It may have ended by itself, and says so once.)
      const ended = local.exitCode === null ? once(local, 'exit') : undefined;
      local.kill('SIGTERM');
      await ended;
    }
  });

  it('synthesizes in an app of the CDK, with the functions that it brings', async () => {
    const project = await install('app');
    for (const peer of ['aws-cdk-lib', 'constructs'])
      symlinkSync(program(peer), join(project, 'node_modules', peer));
    writeFileSync(join(project, 'main.ts'), app);
    const checked = await run(process.execPath, [compiler], project);
    expect(checked, checked.output).toMatchObject({ status: 0 });
    const ran = await run(process.execPath, ['main.ts'], project);
    expect(ran.output).toMatch(/^(Bundling asset .*\n)?37\n/);
    const asset = readdirSync(join(project, 'cdk.out')).find((file) => file.startsWith('asset.'));
    const files = readdirSync(join(project, 'cdk.out', asset ?? ''));
    expect(files).toEqual(expect.arrayContaining(['online-update.mjs', 'predict.mjs']));
  });
});
