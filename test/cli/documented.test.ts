import { execFileSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { projectDirectory } from '../../infra/local/synthesize.ts';
import { runMillrace } from '../support/command-line.ts';
import { textOf } from '../support/tutorial.ts';

/** What the completion script knows: the options and subcommands of each command. */
async function known(): Promise<ReadonlyMap<string, ReadonlySet<string>>> {
  const { stdout } = await runMillrace(['completion'], {});
  const cases = [...stdout.matchAll(/^ {4}([a-z-]+)\) words="([^"]*)"/gm)];
  return new Map(cases.map(([, name = '', words = '']) => [name, new Set(words.split(' '))]));
}

/**
 * Every command line of `millrace` that a document shows, in a block or within a sentence; there the
 * name of the program may be left out.
 */
function documented(commands: ReadonlyMap<string, unknown>): readonly string[] {
  const files = execFileSync('git', ['ls-files', '*.md'], {
    cwd: projectDirectory,
    encoding: 'utf8',
  })
    .split('\n')
    .filter((path) => path !== '' && !path.startsWith('CHANGELOG'));
  return files.flatMap((path) => {
    const text = textOf(path)
      .replace(/\\\n\s*/g, ' ')
      .replace(/(`[^`\n]*)\n([^`\n]*`)/g, '$1 $2');
    const lines = [...text.matchAll(/(?:npx |^|[`|] *)millrace ((?:[a-z]+)(?: [^`\n#|&]*)?)/gm)];
    const named = [...text.matchAll(/`([a-z]+ (?:[^`\n]*))`/g)].filter(([, line = '']) =>
      commands.has(line.split(' ')[0] ?? ''),
    );
    return [...lines, ...named].map(([, line = '']) => `${path}: ${line.trim()}`);
  });
}

describe('the documents', () => {
  it('show commands and options that there are', async () => {
    const commands = await known();
    const lines = documented(commands);
    expect(lines.length).toBeGreaterThan(40);
    const wrong = lines.filter((each) => {
      const [name = '', ...words] = each.replace(/^[^:]*: /, '').split(/\s+/);
      const own = commands.get(name);
      const options = words.flatMap((word) => /^--[a-z][a-z-]*/.exec(word)?.[0] ?? []);
      return own === undefined || options.some((option) => !own.has(option) && !isOfOther(option));
    });
    expect(wrong).toEqual([]);
  });
});

/** Options of subcommands, which the script does not complete. */
function isOfOther(option: string): boolean {
  return option === '--model';
}
