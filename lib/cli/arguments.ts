import { type ParseArgsConfig, parseArgs } from 'node:util';

/** Ends the program with status 2 and a sentence for the person who mistyped something. */
export function stopFor(reason: string): never {
  process.stderr.write(`${reason}\n`);
  process.exit(2);
}

/**
 * Reads a program's arguments, as {@link parseArgs} does. Unknown ones end the program, and its
 * usage is shown.
 */
export function readArguments<const Config extends ParseArgsConfig>(usage: string, config: Config) {
  try {
    return parseArgs(config);
  } catch (cause) {
    return stopFor(`${cause instanceof Error ? cause.message : cause}\n\n${usage}`);
  }
}

/** The value of an option that is a whole number. */
export function wholeNumber(option: string, text: string, least: number): number {
  const value = Number(text);
  if (/^\d+$/.test(text) && Number.isSafeInteger(value) && value >= least) return value;
  return stopFor(
    `${option}: must be a whole number of at least ${least} (found ${JSON.stringify(text)})`,
  );
}
