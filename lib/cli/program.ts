import { type Command, InvalidArgumentError, Option } from 'commander';

/** What every command is called with. */
export type CommonOptions = {
  readonly stack?: string | undefined;
  readonly json?: boolean | undefined;
  readonly yes?: boolean | undefined;
  readonly dryRun?: boolean | undefined;
};

/** A command's arguments in their order, and its options by name. */
export type Called = {
  readonly args: readonly string[];
  readonly options: CommonOptions & Readonly<Record<string, unknown>>;
};

/** What a command is, beside what it does. */
export type CommandSettings = {
  /** Its name, and its arguments as commander writes them: `send <model> <file>`. */
  readonly usage: string;
  readonly summary: string;
  readonly options?: readonly Option[];
  /** Command lines with what they do, one a line. */
  readonly examples: readonly (readonly [line: string, does: string])[];
  /** Whether it changes a model: then it says what it will do, and asks. */
  readonly asks?: boolean;
  /** Whether it works on this machine alone: then no stack is named, and nothing answered. */
  readonly isLocal?: boolean;
};

/** An option that takes a text. */
export function text(flags: string, description: string): Option {
  return new Option(flags, description).argParser(once((value) => value));
}

/** Which files of a dataset. */
export function filesOption(): Option {
  return text('--files <name>', 'only these files of the dataset; * stands for any characters');
}

/** An option that takes a text, and may be given several times. */
export function texts(flags: string, description: string): Option {
  return new Option(flags, description).argParser(
    (value: string, before: readonly string[] | undefined) => [...(before ?? []), value],
  );
}

/** An option that takes a whole number. */
export function whole(flags: string, description: string, least: number): Option {
  return new Option(flags, description).argParser(
    once((value) => {
      const number = Number(value);
      if (/^\d+$/.test(value) && Number.isSafeInteger(number) && number >= least) return number;
      throw new InvalidArgumentError(`It must be a whole number of at least ${least}.`);
    }),
  );
}

/** An option that is on or off. */
export function flag(flags: string, description: string): Option {
  return new Option(flags, description);
}

/** Refuses an option that is given twice: one of them would be ignored. */
function once<Value>(read: (value: string) => Value) {
  return (value: string, before: Value | undefined): Value => {
    if (before !== undefined) throw new InvalidArgumentError('It is given twice.');
    return read(value);
  };
}

/** A command of a program, with the options that all have. */
export function addCommand(
  parent: Command,
  { usage, summary, options = [], examples, asks = false, isLocal = false }: CommandSettings,
  run: (called: Called) => Promise<void>,
): void {
  const command = parent.command(usage).description(summary).allowExcessArguments(false);
  for (const option of options) command.addOption(option);
  if (asks) {
    command.addOption(flag('--yes', 'do it without asking'));
    command.addOption(flag('--dry-run', 'say what it would do, and stop'));
  }
  if (!isLocal) {
    command.addOption(flag('--json', 'JSON on the output, for programs'));
    command.addOption(text('--stack <name>', 'a deployed stack, by its name'));
  }
  const typed = examples.map(
    ([line, does]) => [line.replace('millrace ', 'npx millrace '), does] as const,
  );
  const width = Math.max(...typed.map(([line]) => line.length));
  const lines = typed.map(([line, does]) =>
    width + does.length > 70 ? `  ${line}\n      ${does}` : `  ${line.padEnd(width)}  ${does}`,
  );
  command.addHelpText('after', `\nExamples:\n${lines.join('\n')}`);
  command.action(() => run({ args: command.args, options: command.opts() }));
}

/** A script that completes the commands and options of a program in bash. */
export function bashCompletion(program: Command): string {
  const words = (command: Command): string[] => [
    ...command.commands.map((each) => each.name()),
    ...command.options.flatMap(({ long }) => (long === undefined || long === null ? [] : [long])),
    '--help',
  ];
  const cases = program.commands.map(
    (command) => `    ${command.name()}) words="${words(command).join(' ')}" ;;`,
  );
  return `_millrace() {
  local words="${words(program).join(' ')}"
  [ "$COMP_CWORD" -gt 1 ] && case "\${COMP_WORDS[1]}" in
${cases.join('\n')}
  esac
  COMPREPLY=($(compgen -W "$words" -- "\${COMP_WORDS[COMP_CWORD]}"))
  [ "\${#COMPREPLY[@]}" -eq 0 ] && COMPREPLY=($(compgen -f -- "\${COMP_WORDS[COMP_CWORD]}"))
}
complete -F _millrace millrace
`;
}
