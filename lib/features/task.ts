/** What a model predicts: a number, true or false, or one of several classes. */
export const tasks = ['regression', 'binary', 'multiclass'] as const;
/** One of {@link tasks}. */
export type Task = (typeof tasks)[number];

/** The classes of a label: those that are declared, and for how many there is a place. */
export type DeclaredClasses = {
  readonly classes?: readonly string[] | undefined;
  readonly maxClasses?: number | undefined;
};

/** How many classes a model tells apart at most; undefined where the task declares none. */
export function classCount({ classes, maxClasses }: DeclaredClasses): number | undefined {
  return maxClasses ?? classes?.length;
}
