import { setTimeout as delay } from 'node:timers/promises';
import { whenStopped } from './when-stopped.ts';

const pollMilliseconds = 1_000;

/**
 * Looks at work that others do until it is over.
 *
 * @param who works, as it is said of them where this program is stopped meanwhile
 * @param look is given what it saw before
 */
export async function untilOver<SoFar extends { readonly isOver: boolean }>(
  who: string,
  look: (before: SoFar | undefined) => Promise<SoFar>,
): Promise<SoFar> {
  const tell = () =>
    void process.stderr.write(
      `\nstopped waiting; ${who} go on to their end, and nothing of the model changes\n`,
    );
  return whenStopped(tell, async () => {
    for (let soFar = await look(undefined); ; soFar = await look(soFar)) {
      if (soFar.isOver) return soFar;
      await delay(pollMilliseconds);
    }
  });
}
