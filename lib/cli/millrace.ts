import { createInterface } from 'node:readline/promises';
import { Command, CommanderError, Option } from 'commander';
import { MillraceError } from '../errors.ts';
import { tasks } from '../features/task.ts';
import { printable } from '../parse.ts';
import type { Log } from '../ports/ports.ts';
import { type AddCommand, textOf, textsOf } from './call.ts';
import { declareChoosingCommands } from './choosing-commands.ts';
import { consentOf, type Io } from './io.ts';
import {
  declareExchangeCommands,
  declareModelCommands,
  declareSampleCommands,
  declareWatchCommand,
} from './model-commands.ts';
import { addCommand, bashCompletion, type Called, flag, text, texts } from './program.ts';
import { createProgress } from './progress.ts';
import {
  declareRepairCommands,
  declareResendCommands,
  declareStackCommands,
} from './repair-commands.ts';
import { declareTrainingCommands } from './training-commands.ts';

/** What the environment itself says, and not a file of the local stack. */
const givenEndpoint = process.env.AWS_ENDPOINT_URL;

const program = new Command('millrace')
  .description('models that are always current: declare, train, send, ask, look after')
  .configureHelp({ sortSubcommands: false, showGlobalOptions: true })
  .showSuggestionAfterError(true)
  .exitOverride()
  .addHelpText(
    'after',
    `
The stack is the deployed one that --stack names, else that of the environment
(MILLRACE_BUCKET, …), else the local one if it runs (millrace local). A time is
ISO 8601 with its zone: 2026-11-24T12:00Z. What changes a model says what it
will do, and asks.

  npx millrace init sales.csv --label sold && npx millrace create spec.json
  npx millrace send sales sales.csv && npx millrace show sales
  npx millrace predict sales tomorrow.csv`,
  );

const add: AddCommand = (settings, run, parent = program) =>
  addCommand(parent, settings, async (called) => {
    const { stackEnvironment } = await import('../ports/stack.ts');
    const { addressFromEnvironment } = await import('../ports/address.ts');
    const { clientSettings } = await import('../ports/aws.ts');
    const { programPorts } = await import('../ports/program-ports.ts');
    const { S3Client } = await import('@aws-sdk/client-s3');
    const { SQSClient } = await import('@aws-sdk/client-sqs');
    const { withMachines } = await import('../ports/machines.ts');
    // The AWS SDK reads its region, credentials and endpoint from there.
    Object.assign(process.env, await stackEnvironment(textOf(called.options.stack), process.env));
    const address = addressFromEnvironment(process.env);
    const clients = { s3: new S3Client(clientSettings), sqs: new SQSClient(clientSettings) };
    const ports = withMachines(programPorts(clients, address, terminalLog, 1), process.env);
    const io = { ports, ...terminal(called) };
    let hasAnswered = false;
    let would: string | undefined;
    const result: Io['result'] = (value) => {
      hasAnswered = true;
      io.result(value);
    };
    const mayChange: Io['mayChange'] = (what) => {
      would = what;
      return io.mayChange(what);
    };
    const call = { io: { ...io, result, mayChange }, address, environment: process.env, ...called };
    process.exitCode = await run(call);
    // A dry run, or somebody who said no.
    if (settings.asks === true && !hasAnswered) io.result({ changed: false, would });
  });

/** What the library has to say, on one line each. */
const terminalLog: Log = {
  info: () => undefined,
  warn: (message, fields) => tellProblem(message, fields),
  error: (message, fields) => tellProblem(message, fields),
};

function tellProblem(message: string, fields: Readonly<Record<string, unknown>> = {}): void {
  const said = Object.values(fields).map((value) =>
    value instanceof Error ? value.message : value,
  );
  process.stderr.write(`${printable([message, ...said].map(String).join(': '))}\n`);
}

/** What a person sees and answers; with `--json` the output is for a program alone. */
function terminal({ options }: Called): Omit<Io, 'ports'> {
  const { json = false, dryRun: isDryRun = false, yes: isSure = false } = options;
  const stream = json ? process.stderr : process.stdout;
  const print: Io['print'] = (line) => void stream.write(`${printable(line)}\n`);
  return {
    print,
    result: (value) => void (json && process.stdout.write(`${JSON.stringify(value)}\n`)),
    mayChange: consentOf(print, { isDryRun, isSure, ask: process.stdin.isTTY ? ask : undefined }),
    ...(process.stderr.isTTY ? { progress: createProgress(process.stderr, Date.now) } : {}),
  };
}

async function ask(question: string): Promise<string> {
  const reader = createInterface({ input: process.stdin, output: process.stderr });
  try {
    return await reader.question(question);
  } catch (error) {
    // Ctrl-C or Ctrl-D: no answer is no.
    if (error instanceof Error && error.name === 'AbortError') return '';
    throw error;
  } finally {
    reader.close();
  }
}

/**
 * The program `millrace`.
 *
 * @param version of the package
 * @param declareMore declares the commands that are not of this folder
 */
export async function runMillrace(
  version: string,
  declareMore: (program: Command) => void,
): Promise<void> {
  program.version(version);
  declareInit();
  declareModelCommands(add);
  declareWatchCommand(add);
  declareTrainingCommands(program, add);
  declareSampleCommands(add);
  declareChoosingCommands(add);
  declareExchangeCommands(add);
  declareRepairCommands(add);
  declareResendCommands(add);
  declareStackCommands(add);
  declareMore(program);
  declareCompletion();
  outliveTheReader();
  await parseCommand();
}

function declareInit(): void {
  addCommand(
    program,
    {
      usage: 'init <file>',
      summary: 'draft a spec from a file, and say what it saw and doubts (needs no stack)',
      options: [
        texts('--label <column>', 'the column to predict, once for each of several; else the last'),
        new Option('--task <task>', 'by the looks of the labels unless given').choices(tasks),
        text('--model <name>', "the model's name; the file's unless given"),
        text('--out <file>', 'where to write it; spec.json unless given'),
        flag('--force', 'write over the file that is there'),
      ],
      examples: [
        ['millrace init sales.csv --label sold', 'drafts spec.json'],
        ['millrace init clicks.parquet --label clicked --out clicks.json', 'drafts clicks.json'],
      ],
    },
    async (called) => {
      const { label, task, model, out, force } = called.options;
      process.exitCode = await (await import('./files.ts')).init(
        terminal(called),
        called.args[0] ?? '',
        {
          labels: textsOf(label),
          task: textOf(task),
          model: textOf(model),
          out: textOf(out) ?? 'spec.json',
          isForced: force === true,
        },
      );
    },
  );
}

function declareCompletion(): void {
  program
    .command('completion')
    .description('a script that completes commands and options in bash')
    .option('--json', 'JSON on the output, for programs')
    .addHelpText('after', '\nExamples:\n  source <(npx millrace completion)')
    .action(({ json }: { readonly json?: boolean }) => {
      const script = bashCompletion(program);
      process.stdout.write(json === true ? `${JSON.stringify({ bash: script })}\n` : script);
    });
}

/** Whoever reads the output may have seen enough: `millrace predict … | head`. */
function outliveTheReader(): void {
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE')
      process.stderr.write(`the output cannot be written: ${error.message}\n`);
    process.exit(error.code === 'EPIPE' ? 0 : 1);
  });
}

async function parseCommand(): Promise<void> {
  try {
    if (process.argv.length <= 2) {
      program.outputHelp();
      process.exitCode = 2;
    } else {
      const [word = '', next] = process.argv.slice(2);
      // (Asked for help, it would show that of all commands.)
      const name = word === 'help' ? (next ?? word) : word;
      const isKnown = program.commands.some((command) => command.name() === name);
      if (name !== undefined && /^\w/.test(name) && name !== 'help' && !isKnown && asksForHelp())
        program.error(`error: unknown command '${name}'`);
      await program.parseAsync();
    }
  } catch (error) {
    if (error instanceof CommanderError) {
      process.exitCode = error.exitCode === 0 ? 0 : 2;
      if (error.exitCode !== 0) failAsJson(error.message.replace(/^error: /, ''));
    } else if (error instanceof MillraceError || (error instanceof Error && 'syscall' in error)) {
      const message = `${error.message}${adviceOn(error.message)}`;
      process.stderr.write(`${printable(message)}\n`);
      failAsJson(message);
      process.exitCode = 2;
    } else throw error;
  }
}

function asksForHelp(): boolean {
  return process.argv.slice(2).some((word) => ['help', '-h', '--help'].includes(word));
}

/** What to do where the cause is not in the command. */
function adviceOn(message: string): string {
  const endpoint = process.env.AWS_ENDPOINT_URL;
  if (message.includes('ECONNREFUSED') && endpoint !== undefined && givenEndpoint === undefined)
    return (
      '\nthe local stack has stopped: run `npx millrace local` again; it keeps what was sent, and ' +
      'goes on with jobs'
    );
  if (message.includes('ECONNREFUSED') && endpoint !== undefined)
    return (
      `\nno stack answers at ${endpoint}, which AWS_ENDPOINT_URL names: run \`npx millrace local\`, ` +
      'then `. .millrace/local.sh` again'
    );
  if (message.includes('Region is missing')) return '; set AWS_REGION, such as eu-west-1';
  if (message.includes('Could not load credentials'))
    return '; sign in (aws sso login), or set AWS_PROFILE';
  return '';
}

/** What programs read of a command that failed, where they asked for JSON. */
function failAsJson(error: string): void {
  if (process.argv.includes('--json')) process.stdout.write(`${JSON.stringify({ error })}\n`);
}
