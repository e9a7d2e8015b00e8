import { setTimeout as delay } from 'node:timers/promises';

const pollMilliseconds = 1_000;

/** Looks at work that others do until it is over. @param look is given what it saw before */
export async function untilOver<SoFar extends { readonly isOver: boolean }>(
  look: (before: SoFar | undefined) => Promise<SoFar>,
): Promise<SoFar> {
  for (let soFar = await look(undefined); ; soFar = await look(soFar)) {
    if (soFar.isOver) return soFar;
    await delay(pollMilliseconds);
  }
}
