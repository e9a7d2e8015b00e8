/** What a model predicts: a number, true or false, or one of several classes. */
export const tasks = ['regression', 'binary', 'multiclass'] as const;
/** One of {@link tasks}. */
export type Task = (typeof tasks)[number];
