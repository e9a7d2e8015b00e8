/** What a model predicts: a number, true or false, or one of several classes. */
export const tasks = ['regression', 'binary', 'multiclass'] as const;
/** One of {@link tasks}. */
export type Task = (typeof tasks)[number];

/** The classes of a label: those that are declared, and for how many there is a place. */
export type DeclaredClasses = {
  readonly classes?: readonly string[] | undefined;
  readonly maxClasses?: number | undefined;
};

/** What a label declares of the numbers that stand for it. */
export type DeclaredLabel = DeclaredClasses & {
  readonly outputs?: readonly string[] | undefined;
};

/** How many numbers a label has: one, or one for each of several outputs. */
export function labelWidth({ outputs }: DeclaredLabel): number {
  return outputs?.length ?? 1;
}

/** How many numbers a model predicts for a row: one for each class or output, else one. */
export function outputCount(label: DeclaredLabel): number {
  return classCount(label) ?? labelWidth(label);
}

/** How many classes a model tells apart at most; undefined where the task declares none. */
export function classCount({ classes, maxClasses }: DeclaredClasses): number | undefined {
  return maxClasses ?? classes?.length;
}
