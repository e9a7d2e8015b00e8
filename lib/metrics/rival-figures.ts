import { type OutcomeFigures, type Outcomes, outcomeFigures, type Rival } from './outcomes.ts';

/** How somebody's predictions turned out who has them for nothing. */
export type RivalFigures = Omit<OutcomeFigures, 'accuracyOfCommonestLabel' | 'calibrationError'>;

/** What rivals' outcomes come to. @param weight of all samples */
export function rivalFigures(
  spec: Parameters<typeof outcomeFigures>[0],
  rivals: Readonly<Record<Rival, Outcomes>>,
  weight: number,
): { readonly rivals: Readonly<Record<Rival, RivalFigures>> } {
  const figuresOf = (rival: Rival): RivalFigures => {
    const all = outcomeFigures(spec, rivals[rival], weight);
    const { accuracyOfCommonestLabel: _, calibrationError: __, ...figures } = all;
    return figures;
  };
  return { rivals: { prior: figuresOf('prior'), lastLabel: figuresOf('lastLabel') } };
}
