import type { Command } from 'commander';
import type { StackAddress } from '../ports/address.ts';
import type { Environment } from '../ports/stack.ts';
import type { Io } from './io.ts';
import type { Called, CommandSettings } from './program.ts';

/** What a command works with, and what it was called with. */
export type Call = {
  readonly io: Io;
  readonly address: StackAddress;
  readonly environment: Environment;
} & Called;

/** Adds a command that works on a stack; its answer is the exit status. */
export type AddCommand = (
  settings: CommandSettings,
  run: (call: Call) => Promise<number>,
  parent?: Command,
) => void;

/** An option's text; commander knows its type only while it parses. */
export function textOf(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}

/** The texts of an option that may be given several times. */
export function textsOf(value: unknown): readonly string[] {
  return Array.isArray(value) ? value.map(String) : [];
}

/** An option's number. */
export function numberOf(value: unknown): number | undefined {
  return typeof value === 'number' ? value : undefined;
}
